"""Inspects files and folders: a JSON line per image, and heatmap overlays."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mintad.data.listing import IMAGE_SUFFIXES, is_hidden
from mintad.errors import DataError, MintadError
from mintad.inspection.inspector import Inspection, Inspector
from mintad.inspection.overlays import is_overlay, write_overlay
from mintad.system.files import storage_errors


@dataclass
class Listing:
    """The images to inspect, and a sentence for each thing that could not be looked into."""

    images: list[Path] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


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
        below = Listing()
        _list_folder(path, below, ())
        listing.passed_over += below.passed_over
        if not below.images:
            why = "".join(f" {sentence}" for sentence in below.passed_over)
            raise DataError(
                f"The folder {path} holds no images.{why}", "Name a folder with images."
            )
        listing.images += sorted(below.images)
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


def _list_folder(folder: Path, listing: Listing, parents: tuple[tuple[int, int], ...]) -> None:
    """Adds what lies in `folder` and below; `parents` identify the folders that it lies in."""
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        why = error.strerror or error
        listing.passed_over.append(f"The folder {folder} cannot be read: {why}.")
        return
    identity = (status.st_dev, status.st_ino)
    if identity in parents:
        listing.passed_over.append(f"The link {folder} leads to a folder that it lies in.")
        return
    for entry in entries:
        path = folder / entry.name
        if is_hidden(entry.name):
            continue
        try:
            mode = path.stat().st_mode
        except OSError as error:
            dangling = entry.is_symlink() and isinstance(error, FileNotFoundError)
            why = "leads nowhere" if dangling else f"cannot be read: {error.strerror or error}"
            listing.passed_over.append(f"{'The link ' if dangling else ''}{path} {why}.")
            continue
        if stat.S_ISDIR(mode):
            _list_folder(path, listing, (*parents, identity))
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            if not stat.S_ISREG(mode):
                listing.passed_over.append(f"{path} is no regular file.")
            elif not is_overlay(path):
                listing.images.append(path)
