"""What of a folder is listed: images and folders, sorted, without hidden and system files.

A folder that may not be read lists as empty: `left_out` names it.
"""

from __future__ import annotations

import os
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".bmp", ".dib"),
        *(".tif", ".tiff", ".btf", ".webp", ".pbm", ".pgm", ".ppm", ".pnm"),
    }
)
"""The endings, in lower case, by which image files are recognised in folders."""

_SYSTEM = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found", "$recycle.bin", "#recycle"}
    | {"system volume information"}
)


def list_images(folder: Path) -> list[Path]:
    """The image files directly in `folder`, by name; none if there is no such folder."""
    return [path for path in _listing(folder) if has_image_ending(path.name) and is_file(path)]


def list_folders(folder: Path) -> list[Path]:
    """The folders directly in `folder` that may be read, by name; links to folders, too."""
    return [path for path in _listing(folder) if is_folder(path) and os.access(path, os.R_OK)]


def is_file(path: Path) -> bool:
    """Whether this is a regular file, or a link to one; False where nobody may know."""
    return os.path.isfile(path)


def is_folder(path: Path) -> bool:
    """Whether this is a folder, or a link to one; False where nobody may know."""
    return os.path.isdir(path)


def has_image_ending(name: str) -> bool:
    """Whether a file of this name is taken for an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is never listed."""
    return name.startswith(".") or is_system(name)


def is_system(name: str) -> bool:
    """Whether a file or folder of this name belongs to an operating system or a program."""
    return name.lower() in _SYSTEM or name.startswith("._")


def _listing(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(folder / name for name in names if not is_hidden(name))
