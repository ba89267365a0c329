"""Heatmap overlays as files: their names, what they are recognised by, and how they are written."""

from __future__ import annotations

import hashlib
import io
import os
import re
from contextlib import suppress
from pathlib import Path

from PIL import Image, PngImagePlugin

from mintad.data import Preprocessing, load_image
from mintad.errors import StorageError
from mintad.inspection.heatmap import HEATMAP_RANGE, overlay
from mintad.inspection.inspector import Inspection
from mintad.system.files import write_bytes

SUFFIX = "_heatmap.png"
MARK = "mintad-heatmap-of"
"""The PNG's text entry that holds the digest of the image's path."""

_LONGEST_STEM = 80
"""How many bytes of its image's name an overlay keeps; with the rest any disk takes them."""

_NOT_EVERYWHERE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')


def overlay_name(file: Path) -> str:
    """The name of the overlay of an image: it depends on the image's place alone.

    It begins with the image's own name, as far as it fits every disk, and the digest of its path
    tells it from others of that name.
    """
    stem = _NOT_EVERYWHERE.sub("_", file.stem).encode()[:_LONGEST_STEM].decode(errors="ignore")
    return f"{stem}_{_digest(file)[:8]}{SUFFIX}"


def is_overlay(file: Path) -> bool:
    """Whether mintad drew this file."""
    return file.name.endswith(SUFFIX) and _mark(file) is not None


def write_overlay(
    inspection: Inspection, file: Path, folder: Path, preprocessing: Preprocessing
) -> Path:
    """Draws the heatmap over the image in `file` and writes it into `folder`; returns where.

    The overlay of an earlier inspection of the same image is replaced. Raises `ImageError` where
    the image can no longer be read, and `StorageError` where the overlay cannot be written, or
    another file stands in its place.
    """
    assert inspection.anomaly_map is not None
    place = folder / overlay_name(file)
    digest = _digest(file)
    if place.exists() and _mark(place) != digest:
        raise StorageError(
            f"{place} is not a heatmap of {file}, so it was not overwritten.",
            "Move it away, or name another folder for the heatmaps.",
        )
    image = load_image(file, preprocessing)
    drawn = overlay(image, inspection.anomaly_map, *HEATMAP_RANGE, box=inspection.box)
    mark = PngImagePlugin.PngInfo()
    mark.add_text(MARK, digest)
    encoded = io.BytesIO()
    Image.fromarray(drawn).save(encoded, "PNG", pnginfo=mark)
    write_bytes(place, encoded.getvalue())
    return place


def _digest(file: Path) -> str:
    return hashlib.sha256(os.fsencode(file.absolute())).hexdigest()


def _mark(file: Path) -> str | None:
    """The digest that an overlay carries; None for any other file."""
    with suppress(Exception), file.open("rb") as content:  # whatever a foreign file leads it into
        return str(PngImagePlugin.PngImageFile(content).info[MARK])
    return None
