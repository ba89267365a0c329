"""A folder per product, with train, test and ground_truth in it: what MVTec and BTAD share.

`train/GOOD`, `test/GOOD`, `test/<defect>` and `ground_truth/<defect>`, where the layouts differ
in the name of GOOD. The mask of `test/<defect>/x.png` is `ground_truth/<defect>/x_mask.png` or
`x.png`, with any image ending. A product may lack its train or its test part.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mintad.data.layouts.folders import list_folders, list_images, no_images
from mintad.data.sample import Sample
from mintad.errors import DataError


def read_products(root: Path, good: str, is_product: Callable[[Path], bool]) -> list[Sample]:
    """All samples of a root that is a product or holds products, by product, train first.

    Raises `DataError` for a product without images, and for images that would be passed over
    because they lie elsewhere.
    """
    if is_product(root):
        return _read_product(root, good)
    samples: list[Sample] = []
    others = []
    for folder in list_folders(root):
        if is_product(folder):
            samples += _read_product(folder, good)
        else:
            others.append(folder)
    if not samples:
        raise no_images(root, f"PRODUCT/train/{good} and PRODUCT/test/<defect>")
    for folder in others:
        if _holds_images(folder, depth=2):
            raise DataError(
                f"The folder {folder} holds images but is not laid out as the products beside it, "
                f"with train/{good} and test/<defect>.",
                "Lay it out like them, or move it away and give it as a data root of its own.",
            )
    return samples


def _read_product(folder: Path, good: str) -> list[Sample]:
    product = folder.resolve().name
    _refuse_misplaced_images(folder, good)
    samples = [Sample(product, "train", image) for image in list_images(folder / "train" / good)]
    for defect in list_folders(folder / "test"):
        masks = {path.stem: path for path in list_images(folder / "ground_truth" / defect.name)}
        is_good = defect.name == good
        samples += [
            Sample(
                product,
                "test",
                image,
                label=0 if is_good else 1,
                defect_type="good" if is_good else defect.name,
                mask=masks.get(f"{image.stem}_mask") or masks.get(image.stem),
            )
            for image in list_images(defect)
        ]
    if not samples:
        raise no_images(folder, f"train/{good} and test/<defect>")
    return samples


def _refuse_misplaced_images(folder: Path, good: str) -> None:
    train, test = folder / "train", folder / "test"
    for path in (train, test, *list_folders(train)):
        if path != train / good and list_images(path):
            raise DataError(
                f"The folder {path} holds images outside of train/{good} and test/<defect>.",
                f"Move training images, which must be good, to train/{good}; good test images to "
                f"test/{good} and others to a folder named after their defect in test.",
            )


def _holds_images(folder: Path, depth: int) -> bool:
    if list_images(folder):
        return True
    return depth > 0 and any(_holds_images(inner, depth - 1) for inner in list_folders(folder))
