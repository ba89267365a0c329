"""Inspects files and folders: a JSON line per image, and heatmap overlays."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mintad.data.left_out import kind_of_other
from mintad.data.listing import has_image_ending, is_hidden
from mintad.errors import DataError, MintadError
from mintad.inspection.inspector import Inspection, Inspector
from mintad.inspection.overlays import is_overlay, write_overlay
from mintad.system.files import storage_errors
from mintad.system.words import counted


@dataclass
class Listing:
    """The images to inspect, a sentence for each thing that could not be looked into, and those
    files below the folders that are pictures, but not inspected."""

    images: list[Path] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)

    def warnings(self) -> list[str]:
        """What to tell of the images that are not inspected."""
        endings = Counter(file.suffix.lower() for file in self.unread)
        return self.passed_over + [
            f"{counted(count, 'file')} with the ending {ending or '(none)'} "
            f"{'is' if count == 1 else 'are'} not inspected."
            for ending, count in sorted(endings.items())
        ]


def list_images(paths: Sequence[Path]) -> Listing:
    """The files among `paths`, and all images below the folders among them, sorted in each.

    Hidden files and folders, those of the system, and heatmaps that mintad drew are no images.
    Links are followed. Raises `DataError` for a path that does not exist or a folder without
    images.
    """
    listing = Listing()
    for path in paths:
        mode = _mode(path)
        if stat.S_ISREG(mode):
            listing.images.append(path)
            continue
        if not stat.S_ISDIR(mode):
            raise DataError(f"{path} is neither a file nor a folder.", "Check the path.")
        below = _list_below(path)
        listing.passed_over += below.passed_over
        listing.unread += below.unread
        if not below.images:
            why = "".join(f" {sentence}" for sentence in below.warnings())
            raise DataError(
                f"The folder {path} holds no images.{why}", "Name a folder with images."
            )
        listing.images += below.images
    return listing


def inspect_images(
    inspector: Inspector,
    images: Sequence[Path],
    *,
    product: str | None = None,
    out: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """One JSON-ready mapping per image, in order; overlays go to `out` where it is given.

    An image that cannot be read has an `error`, one whose overlay cannot be written a `warning`.
    Raises `StorageError` where there can be no folder `out`.
    """
    if out is not None:
        with storage_errors(out):
            out.mkdir(parents=True, exist_ok=True)
    for file, inspection in zip(images, inspector(images, product), strict=True):
        heatmap = warning = None
        if out is not None and inspection.error is None:
            try:
                preprocessing = inspector.preprocessing
                heatmap = str(write_overlay(inspection, file, out, preprocessing))
            except (MintadError, OSError, MemoryError) as error:
                warning = f"The heatmap was not written: {str(error) or type(error).__name__}"
        yield {**describe(inspection), "heatmap": heatmap, "warning": warning}


def describe(inspection: Inspection) -> dict[str, Any]:
    """What the command line prints of an inspection: always the same keys."""
    failed = inspection.error is not None
    return {
        "image": inspection.name,
        "product": None if failed else inspection.product,
        "product_given": None if failed else inspection.product_given,
        "product_probability": inspection.product_probability,
        "raw_score": inspection.raw_score,
        "score": inspection.score,
        "error": inspection.error,
    }


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        raise DataError(f"There is no file or folder {path}.", "Check the path.") from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            "Check the path, and whether this user may read it.",
        ) from None


def _list_below(top: Path) -> Listing:
    """What lies below a folder; each folder to visit comes with those that it lies in."""
    listing = Listing()
    folders: list[tuple[Path, frozenset[tuple[int, int]]]] = [(top, frozenset())]
    while folders:
        folder, around = folders.pop()
        try:
            status = folder.stat()
            entries = list(os.scandir(folder))
        except OSError as error:
            why = error.strerror or error
            listing.passed_over.append(f"The folder {folder} cannot be read: {why}.")
            continue
        identity = (status.st_dev, status.st_ino)
        if identity in around:
            listing.passed_over.append(f"The link {folder} leads to a folder that it lies in.")
            continue
        for entry in entries:
            if is_hidden(entry.name):
                continue
            path = folder / entry.name
            if _add(path, listing):
                folders.append((path, around | {identity}))
    listing.images.sort()
    listing.passed_over.sort()
    return listing


def _add(path: Path, listing: Listing) -> bool:
    """Adds a file to the listing; whether it is a folder, which is to be visited."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        dangling = path.is_symlink() and isinstance(error, FileNotFoundError)
        why = "leads nowhere" if dangling else f"cannot be read: {error.strerror or error}"
        listing.passed_over.append(f"{'The link ' if dangling else ''}{path} {why}.")
        return False
    if stat.S_ISDIR(mode):
        return True
    if has_image_ending(path.name):
        if not stat.S_ISREG(mode):
            listing.passed_over.append(f"{path} is no regular file.")
        elif not is_overlay(path):
            listing.images.append(path)
    elif stat.S_ISREG(mode) and kind_of_other(str(path)) != "no picture":
        listing.unread.append(path)
    return False
