"""The MVTec layout: per product `train/good`, `test/<defect>` and `ground_truth/<defect>`."""

from __future__ import annotations

from pathlib import Path

from mintad.data.layouts.folders import list_folders
from mintad.data.layouts.products import read_products
from mintad.data.sample import Sample


def detect(root: Path) -> bool:
    """Whether the root is a product of this layout or holds at least one."""
    return _is_product(root) or any(_is_product(folder) for folder in list_folders(root))


def read(root: Path) -> list[Sample]:
    """All samples, by product, train first; errors as in `read_products`."""
    return read_products(root, "good", _is_product)


def _is_product(folder: Path) -> bool:
    return (folder / "train" / "good").is_dir() or bool(list_folders(folder / "test"))
