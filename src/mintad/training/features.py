"""The features of every training image, batch by batch, in an order fixed by seed and epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from mintad.backbones import unpack
from mintad.features import Features, FeatureShape
from mintad.system.threads import map_ahead

RowReader = Callable[[NDArray[np.int64]], NDArray[np.float16]]
"""Images by number, `int64 (N,)`, to their packed rows `float16 (N, P, C)`."""


@dataclass(frozen=True)
class TrainingFeatures:
    """Features of the good training images, and the number of each one's product."""

    read: RowReader
    shape: FeatureShape
    products: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.products)

    def batch(self, images: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Packed rows `float16 (B, P, C)` and products `int64 (B,)` of some images."""
        return torch.from_numpy(self.read(images)), torch.from_numpy(self.products[images])

    def unpacked(self, rows: Tensor) -> Features:
        """The features that packed rows `(B, P, C)` hold, in float32."""
        return unpack(rows.float(), self.shape)

    def in_order(
        self, product: int | None = None, batch_size: int = 64
    ) -> Iterator[tuple[Features, Tensor]]:
        """One pass over everything, or over one product, in the order of the data set."""
        images = np.arange(len(self))
        if product is not None:
            images = np.flatnonzero(self.products == product)
        for start in range(0, len(images), batch_size):
            rows, products = self.batch(images[start : start + batch_size])
            yield self.unpacked(rows), products

    def of(self, images: NDArray[np.int64]) -> TrainingFeatures:
        """The same, restricted to some images."""
        return TrainingFeatures(
            lambda chosen: self.read(images[chosen]), self.shape, self.products[images]
        )


class TrainingBatch(NamedTuple):
    """A step's share of one process.

    Packed rows `float16 (B, P, C)`, products and seeds `int64 (B,)`. `weight` is what the mean
    over this share counts in the mean over the processes: 1 unless the shares of a step differ.
    """

    rows: Tensor
    products: Tensor
    seeds: Tensor
    weight: float


class EpochBatches(IterableDataset[TrainingBatch]):
    """The batches of one epoch: a permutation drawn from seed and epoch, shared among processes.

    Each step takes `batch_size * world` images, of which process `rank` gets its slice. The last
    step takes fewer where the number does not divide, never an image twice; it is left out where
    it has none for some process. A thread reads up to two batches ahead. An image's seed comes
    from seed, epoch and number.
    """

    def __init__(
        self,
        features: TrainingFeatures,
        batch_size: int,
        seed: int,
        epoch: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.features = features
        self.rank = rank
        self.world = world
        rng = np.random.default_rng((seed, epoch))
        order = rng.permutation(len(features))
        self.seeds = rng.integers(2**63, size=len(features))
        starts = range(0, len(order), batch_size * world)
        steps = [order[start : start + batch_size * world] for start in starts]
        self.steps = [images for images in steps if len(images) >= world]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[TrainingBatch]:
        yield from map_ahead(self._batch, self.steps, workers=1, ahead=2)

    def _batch(self, step: NDArray[np.int64]) -> TrainingBatch:
        images = step[self.rank :: self.world]
        weight = len(images) * self.world / len(step)
        seeds = torch.from_numpy(self.seeds[images])
        return TrainingBatch(*self.features.batch(images), seeds, weight)


def hold_out(
    products: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Images to train on and images held out: `share` of each product, at least one, at random.

    With a share of zero the training images stand in for held-out ones.
    """
    rng = np.random.default_rng((seed, 1))
    held: list[NDArray[np.int64]] = []
    for product in np.unique(products):
        rows = np.flatnonzero(products == product)
        count = max(1, round(share * len(rows))) if share > 0 else 0
        held.append(rng.permutation(rows)[:count])
    out = np.sort(np.concatenate(held)).astype(np.int64)
    everything = np.arange(len(products), dtype=np.int64)
    if not len(out):
        return everything, everything
    return np.setdiff1d(everything, out), out
