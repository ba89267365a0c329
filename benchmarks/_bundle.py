"""The bundle that the runtime's benchmarks run where none is named: `fast` on line-5."""

from __future__ import annotations

from pathlib import Path

import mintad
from mintad.bundle import Bundle
from recipes import data_roots

PLACE = Path("runs/bundle-fast")


def open_bundle(path: Path | None) -> Bundle:
    """The bundle at `path`, or one that is trained once and kept."""
    if path is not None:
        return mintad.load(path)
    if (PLACE / "bundle" / "manifest.json").is_file():
        return mintad.load(PLACE)
    return mintad.train(data_roots("line-5"), PLACE, recipe="fast")
