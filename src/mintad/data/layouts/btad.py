"""The BTAD layout: per product `train/ok`, `test/ok`, `test/ko` and `ground_truth/ko`."""

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
    return read_products(root, "ok", _is_product)


def _is_product(folder: Path) -> bool:
    """Whether there is an `ok` folder; in the MVTec layout that could be a defect's name."""
    has_ok = any((folder / split / "ok").is_dir() for split in ("train", "test"))
    has_good = any((folder / split / "good").is_dir() for split in ("train", "test"))
    return has_ok and not has_good
