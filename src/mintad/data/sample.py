"""A sample, a batch and a data set: the product travels with the image from here to the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mintad.system.words import counted

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True, eq=False)
class MemoryImage:
    """An image that lives in a larger file: its encoded bytes, or its `uint8 (H, W, 3)` pixels."""

    name: str
    content: bytes | NDArray[np.uint8] = field(repr=False)


ImageSource = Path | MemoryImage


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and what is known of it.

    `label` is 0 for good, 1 for defective, None where nobody has said. A defective sample
    without `mask` has a label per image only.

    >>> sample = mintad.read("data").test.samples[-1]
    >>> sample.product, sample.label, sample.defect_type, sample.mask.name
    ('stripes', 1, 'hole', '003_mask.png')
    """

    product: str
    split: Split
    image: ImageSource
    label: int | None = 0
    defect_type: str | None = "good"
    mask: Path | None = None

    @property
    def name(self) -> str:
        """What messages and reports call this image."""
        return self.image.name if isinstance(self.image, MemoryImage) else str(self.image)


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples with their prepared pixels and the numbers of their products.

    `images` is `uint8 (B, H, W, 3)`, prepared but not yet normalised; `products` is
    `int64 (B,)`, the position of each product in the model's list, -1 where it is not in it.
    """

    samples: tuple[Sample, ...]
    images: NDArray[np.uint8]
    products: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"Batch({len(self)} images, {self.images.shape[1]} x {self.images.shape[2]})"


LeftOutKind = Literal["left out", "mask without image"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files under a data folder that were not read: one, or `count` below the folder `path`.

    `message` names them, `mend` says what to do; both are full sentences.
    """

    path: Path
    count: int
    kind: LeftOutKind
    message: str
    mend: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples of one or many products, in a fixed order.

    `roots` are the folders and files they were read from, all of them, and `left_out` is what
    was found there and not read; a part of a data set has neither.

    >>> dataset = mintad.read("data")
    >>> len(dataset.good), len(dataset.test)
    (20, 16)
    >>> dataset.where(lambda sample: sample.defect_type == "hole")
    Dataset(2 products, 0 train, 8 test)
    """

    samples: tuple[Sample, ...]
    roots: tuple[Path, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __repr__(self) -> str:
        products = counted(len(self.products), "product")
        return f"Dataset({products}, {len(self.train)} train, {len(self.test)} test)"

    @property
    def products(self) -> tuple[str, ...]:
        """The names of the products, sorted."""
        return tuple(sorted({sample.product for sample in self.samples}))

    @property
    def train(self) -> Dataset:
        """The training images, whatever their label."""
        return self.where(lambda sample: sample.split == "train")

    @property
    def good(self) -> Dataset:
        """The good training images: those that a model learns from."""
        return self.where(lambda sample: sample.split == "train" and sample.label == 0)

    @property
    def test(self) -> Dataset:
        """The test images, good and defective."""
        return self.where(lambda sample: sample.split == "test")

    def where(self, keep: Callable[[Sample], bool]) -> Dataset:
        """The samples for which `keep` holds, in the same order."""
        return Dataset(tuple(sample for sample in self.samples if keep(sample)))
