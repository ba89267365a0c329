"""Where features, compiled graphs and measured engines are kept."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path


def default_cache_directory() -> Path:
    """`$MINTAD_CACHE`, or `mintad` in the place where this system keeps caches.

    Where there is no such place, or nothing can be written there, it is a folder of this process
    alone, which is removed at its end; a warning says so.
    """
    chosen = _chosen()
    if chosen is not None and _is_writable(chosen):
        return chosen
    return _temporary(chosen)


def _chosen() -> Path | None:
    """The place that is meant; None for a user without a home."""
    try:
        if place := os.environ.get("MINTAD_CACHE"):
            return Path(place).expanduser()
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
        elif sys.platform == "darwin":
            base = "~/Library/Caches"
        else:
            base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return Path(base).expanduser() / "mintad"
    except RuntimeError:
        return None


@cache
def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def _temporary(instead_of: Path | None) -> Path:
    place = "there is no home folder" if instead_of is None else f"{instead_of} cannot be written"
    folder = tempfile.TemporaryDirectory(prefix="mintad-", ignore_cleanup_errors=True)
    _kept.append(folder)
    warnings.warn(
        f"No cache is kept, for {place}: what is computed now is computed again next time. "
        "Set MINTAD_CACHE to a folder that can be written.",
        stacklevel=3,
    )
    return Path(folder.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []
"""They are removed when the process ends."""
