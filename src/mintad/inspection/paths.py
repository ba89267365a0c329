"""Inspects files and folders: a JSON line per image, and heatmap overlays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mintad.data import Preprocessing, decode_image
from mintad.data.decoding import IMAGE_SUFFIXES
from mintad.errors import DataError
from mintad.inspection import Inspection, Inspector
from mintad.inspection.heatmap import HEATMAP_RANGE, overlay, save_png


def inspect_paths(
    inspector: Inspector,
    paths: Sequence[Path],
    *,
    product: str | None = None,
    out: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """One JSON-ready mapping per image, in order; overlays go to `out` where it is given.

    A folder stands for all images below it. An image that cannot be read gives an `error`.
    Raises `DataError` for a path that does not exist or a folder without images.
    """
    files = [file for path in paths for file in find_images(path)]
    names = _unique_names(files)
    preprocessing = inspector.bundle.manifest.preprocessing
    for file, name, inspection in zip(files, names, inspector(files, product), strict=True):
        line = describe(inspection)
        if out is not None and inspection.error is None:
            line["heatmap"] = str(write_overlay(inspection, file, out / name, preprocessing))
        yield line


def find_images(path: Path) -> list[Path]:
    """`path` itself, or all images below it, sorted. Raises `DataError` where there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"There is no file or folder {path}.", "Check the path.")
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
    )
    if not found:
        raise DataError(f"The folder {path} holds no images.", "Name a folder with images.")
    return found


def describe(inspection: Inspection) -> dict[str, Any]:
    """What the command line prints of an inspection."""
    if inspection.error is not None:
        return {"image": inspection.name, "error": inspection.error}
    return {
        "image": inspection.name,
        "product": inspection.product,
        "product_given": inspection.product_given,
        "product_probability": inspection.product_probability,
        "raw_score": inspection.raw_score,
        "score": inspection.score,
    }


def write_overlay(
    inspection: Inspection, file: Path, place: Path, preprocessing: Preprocessing
) -> Path:
    """Writes the image with its heatmap as a PNG; returns where."""
    assert inspection.anomaly_map is not None
    image = decode_image(file, max_pixels=preprocessing.max_pixels)
    picture = overlay(image, inspection.anomaly_map, *HEATMAP_RANGE, box=inspection.box)
    return save_png(picture, place)


def _unique_names(files: Sequence[Path]) -> list[str]:
    """A name for each file's overlay: as much of its path as tells it from the others."""
    whole = [file.absolute() for file in files]
    count = len(set(whole))
    places = [place.with_suffix("") for place in whole]
    if len(set(places)) < count:  # a.png beside a.jpg
        places = whole
    names: list[str] = []
    for depth in range(1, max(len(place.parts) for place in places)):
        names = ["_".join(place.parts[1:][-depth:]) for place in places]
        if len(set(names)) == count:
            break
    else:  # a_b/c beside a/b_c
        names = [f"{number}_{name}" for number, name in enumerate(names, start=1)]
    return [f"{name}_heatmap.png" for name in names]
