"""The training tokens of every image, batch by batch, in an order fixed by seed and epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from mintad.system.threads import map_ahead

TokenReader = Callable[[NDArray[np.int64]], NDArray[np.float16]]
"""Rows by number: `int64 (N,)` to tokens `float16 (N, P, C)`."""


@dataclass(frozen=True)
class TrainingTokens:
    """Tokens of the good training images and the number of each one's product."""

    read: TokenReader
    products: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.products)

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Tokens `float16 (B, P, C)` and products `int64 (B,)` of some rows."""
        return torch.from_numpy(self.read(rows)), torch.from_numpy(self.products[rows])

    def in_order(
        self, product: int | None = None, batch_size: int = 64
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass over everything, or over one product, in the order of the data set."""
        rows = np.arange(len(self)) if product is None else np.flatnonzero(self.products == product)
        for start in range(0, len(rows), batch_size):
            tokens, products = self.batch(rows[start : start + batch_size])
            yield tokens.float(), products

    def of(self, rows: NDArray[np.int64]) -> TrainingTokens:
        """The same, restricted to some rows."""
        return TrainingTokens(lambda chosen: self.read(rows[chosen]), self.products[rows])


class TrainingBatch(NamedTuple):
    """A step's share of one process.

    Tokens `float16 (B, P, C)`, products and seeds `int64 (B,)`. `weight` is what the mean over
    this share counts in the mean over the processes: 1 unless the shares of a step differ.
    """

    tokens: Tensor
    products: Tensor
    seeds: Tensor
    weight: float


class EpochBatches(IterableDataset[TrainingBatch]):
    """The batches of one epoch: a permutation drawn from seed and epoch, shared among processes.

    Each step takes `batch_size * world` rows, of which process `rank` gets its slice. The last
    step takes fewer rows where the number does not divide, never a row twice; it is left out
    where it has none for some process. A thread reads up to two batches ahead. An image's seed
    comes from seed, epoch and row.
    """

    def __init__(
        self,
        tokens: TrainingTokens,
        batch_size: int,
        seed: int,
        epoch: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.tokens = tokens
        self.rank = rank
        self.world = world
        rng = np.random.default_rng((seed, epoch))
        order = rng.permutation(len(tokens))
        self.seeds = rng.integers(2**63, size=len(tokens))
        starts = range(0, len(order), batch_size * world)
        steps = [order[start : start + batch_size * world] for start in starts]
        self.steps = [rows for rows in steps if len(rows) >= world]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[TrainingBatch]:
        yield from map_ahead(self._batch, self.steps, workers=1, ahead=2)

    def _batch(self, step: NDArray[np.int64]) -> TrainingBatch:
        rows = step[self.rank :: self.world]
        weight = len(rows) * self.world / len(step)
        return TrainingBatch(*self.tokens.batch(rows), torch.from_numpy(self.seeds[rows]), weight)


def hold_out(
    products: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows held out: `share` of each product, at least one, at random.

    With a share of zero the training rows stand in for held-out ones.
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
