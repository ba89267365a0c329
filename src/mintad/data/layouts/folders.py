"""What the folder layouts share: sorted listings without hidden files."""

from __future__ import annotations

from pathlib import Path

from mintad.data.decoding import IMAGE_SUFFIXES
from mintad.errors import DataError

_IGNORED = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def list_images(folder: Path) -> list[Path]:
    """The image files directly in `folder`, by name; none if there is no such folder."""
    return [
        path
        for path in _listing(folder)
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    ]


def list_folders(folder: Path) -> list[Path]:
    """The folders directly in `folder`, by name; none if there is no such folder."""
    return [path for path in _listing(folder) if path.is_dir()]


def no_images(folder: Path, expected: str) -> DataError:
    """The error for a folder in which no image was found where the layout has them."""
    endings = " ".join(sorted(IMAGE_SUFFIXES))
    return DataError(
        f"The folder {folder} has no images where they are expected ({expected}).",
        f"Put image files there ({endings}), or take the folder away.",
    )


def _listing(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in _IGNORED
    )
