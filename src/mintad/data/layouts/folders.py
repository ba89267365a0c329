"""What the folder layouts share: sorted listings without hidden files."""

from __future__ import annotations

from pathlib import Path

from mintad.data.decoding import IMAGE_SUFFIXES
from mintad.errors import DataError

_OF_THE_SYSTEM = frozenset(
    {
        "thumbs.db",
        "desktop.ini",
        "__macosx",
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
    }
)


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
    return sorted(path for path in folder.iterdir() if not is_hidden(path.name))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or kept by a system or a disk station."""
    return name.startswith(".") or name.lower() in _OF_THE_SYSTEM
