"""Good images alone: a folder per product, its images directly in it; all of them for training.

A root that holds images itself is one product.
"""

from __future__ import annotations

from pathlib import Path

from mintad.data.layouts.naming import no_images, product_name
from mintad.data.listing import list_folders, list_images
from mintad.data.sample import Sample
from mintad.errors import DataError

PLACES = "PRODUCT/*.png"
"""Where images are read from."""

_SPLITS = frozenset({"train", "test"})


def detect(root: Path) -> bool:
    """Whether the root, or a folder in it, holds images and none is named like a split."""
    folders = list_folders(root)
    if any(folder.name.lower() in _SPLITS for folder in folders):
        return False
    return bool(list_images(root)) or any(list_images(folder) for folder in folders)


def read(root: Path) -> list[Sample]:
    """All samples, by product.

    Raises `DataError` for a folder without images, and for one with images on two levels.
    """
    folders = list_folders(root)
    if list_images(root) or not folders:
        return _read_product(root)
    return [sample for folder in folders for sample in _read_product(folder)]


def _read_product(folder: Path) -> list[Sample]:
    images = list_images(folder)
    if not images:
        raise no_images(folder, PLACES)
    for inner in list_folders(folder):
        if list_images(inner):
            raise DataError(
                f"Both {folder} and its folder {inner.name} hold images, so the products are not "
                "clear.",
                "Keep the images of each product directly in one folder named after it.",
            )
    product = product_name(folder)
    return [Sample(product, "train", image) for image in images]
