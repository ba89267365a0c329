"""A folder per product, with train, test and ground_truth in it: MVTec AD, LOCO, AD 2 and BTAD.

`train/GOOD`, `test/GOOD`, `test/<defect>` and `ground_truth/<defect>`, where the layouts differ
in the name of GOOD, and MVTec AD 2 calls test `test_public` and has ground_truth in it. The mask
of `test/<defect>/x.png` is `ground_truth/<defect>/x_mask.png` or `x.png`, with any image ending,
or all images in the folder `x`, as in MVTec LOCO. A product may lack its train or its test part.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mintad.data.layouts.naming import (
    Naming,
    no_images,
    product_name,
    sounds_good,
    sounds_like_masks,
)
from mintad.data.listing import is_folder, list_folders, list_images
from mintad.data.sample import Sample
from mintad.errors import DataError

_MASKS = "ground_truth"
_USUAL = Naming()


@dataclass(frozen=True, slots=True)
class ProductFolders:
    """A layout: what its folders are called, and by what a product is recognised."""

    good: str
    is_product: Callable[[Path, Naming], bool]
    test: str = "test"

    @property
    def places(self) -> str:
        """Where images are read from."""
        return f"train/{self.good} and {self.test}/<defect>"

    def detect(self, root: Path, naming: Naming) -> bool:
        """Whether the root is a product of this layout or holds at least one."""
        return self.is_product(root, naming) or any(
            self.is_product(folder, naming) for folder in list_folders(root)
        )

    def read(self, root: Path, naming: Naming = _USUAL) -> list[Sample]:
        """All samples of a root that is a product or holds products, by product, train first.

        Raises `DataError` for a product without images, for images that would be passed over
        because they lie elsewhere, and for a folder of which it is not clear whether it is good.
        """
        if self.is_product(root, naming):
            return self._read_product(root, naming)
        samples: list[Sample] = []
        others = []
        for folder in list_folders(root):
            if self.is_product(folder, naming):
                samples += self._read_product(folder, naming)
            else:
                others.append(folder)
        if not samples:
            raise no_images(root, f"PRODUCT/train/{self.good} and PRODUCT/{self.test}/<defect>")
        for folder in others:
            if _holds_images(folder, depth=2):
                raise DataError(
                    f"The folder {folder} holds images but is not laid out as the products beside "
                    f"it, with {self.places}.",
                    "Lay it out like them, or move it away and give it as a data root of its own.",
                )
        return samples

    def _read_product(self, folder: Path, naming: Naming) -> list[Sample]:
        product = product_name(folder)
        good = {self.good, *naming.good}
        self._refuse_misplaced_images(folder, good)
        samples = [
            Sample(product, "train", image)
            for part in list_folders(folder / "train")
            if part.name in good
            for image in list_images(part)
        ]
        for part in list_folders(folder / self.test):
            if part.name == _MASKS:
                continue
            if part.name not in good and part.name not in naming.bad:
                self._refuse_unclear(part)
            is_good = part.name in good
            masks = self._masks(folder, part.name)
            samples += [
                Sample(
                    product,
                    "test",
                    image,
                    label=0 if is_good else 1,
                    defect_type="good" if is_good else part.name,
                    mask=masks.get(f"{image.stem}_mask") or masks.get(image.stem),
                )
                for image in list_images(part)
            ]
        if not samples:
            raise no_images(folder, self.places)
        return samples

    def _masks(self, folder: Path, defect: str) -> dict[str, Path]:
        """The mask files by their stem, and the folders of masks by their name."""
        masks: dict[str, Path] = {}
        for truth in (folder / _MASKS, folder / self.test / _MASKS):
            for inner in list_folders(truth / defect):
                if list_images(inner):
                    masks.setdefault(inner.name, inner)
            masks |= {path.stem: path for path in list_images(truth / defect)}
        return masks

    def _refuse_unclear(self, part: Path) -> None:
        name = shlex.quote(part.name)
        if sounds_good(part.name):
            raise DataError(
                f"The folder {part} sounds like good images, but those are expected in "
                f"{self.test}/{self.good}; everything else is taken for a defect.",
                f"Say what it holds: --good {name} for good images, --bad {name} for a defect of "
                "that name.",
            )
        if sounds_like_masks(part.name) and list_images(part):
            raise DataError(
                f"The folder {part} sounds like masks, but everything in {self.test} is taken for "
                "images.",
                f"Move masks to {_MASKS}/<defect>, or say --bad {name} if it is a defect of "
                "that name.",
            )

    def _refuse_misplaced_images(self, folder: Path, good: set[str]) -> None:
        train, test = folder / "train", folder / self.test
        for path in (train, test, *list_folders(train)):
            if path.parent == train and path.name in good:
                continue
            if list_images(path):
                hint = ""
                if path.parent == train and sounds_good(path.name):
                    hint = f", or say that they are there with --good {shlex.quote(path.name)}"
                raise DataError(
                    f"The folder {path} holds images outside of {self.places}.",
                    f"Move training images, which must be good, to train/{self.good}{hint}; good "
                    f"test images to {self.test}/{self.good} and others to a folder named after "
                    f"their defect in {self.test}.",
                )


def _holds_images(folder: Path, depth: int) -> bool:
    if list_images(folder):
        return True
    return depth > 0 and any(_holds_images(inner, depth - 1) for inner in list_folders(folder))


def _is_mvtec(folder: Path, naming: Naming) -> bool:
    good = ("good", *naming.good)
    return any(is_folder(folder / "train" / name) for name in good) or bool(
        list_folders(folder / "test")
    )


def _is_mvtec_ad2(folder: Path, naming: Naming) -> bool:
    return bool(list_folders(folder / "test_public")) and not is_folder(folder / "test")


def _is_btad(folder: Path, naming: Naming) -> bool:
    """Whether there is an `ok` folder; in the MVTec layout that could be a defect's name."""

    def has(name: str) -> bool:
        return any(is_folder(folder / split / name) for split in ("train", "test"))

    return has("ok") and not has("good")


MVTEC = ProductFolders("good", _is_mvtec)
MVTEC_AD2 = ProductFolders("good", _is_mvtec_ad2, test="test_public")
BTAD = ProductFolders("ok", _is_btad)
