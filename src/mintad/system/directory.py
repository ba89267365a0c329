"""Where features are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def default_cache_directory() -> Path:
    """`$MINTAD_CACHE`, or `mintad` in the place where this system keeps caches."""
    if chosen := os.environ.get("MINTAD_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mintad"
