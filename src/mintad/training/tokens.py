"""The training tokens of every image, batch by batch, in an order fixed by seed and epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

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


class EpochBatches(IterableDataset[tuple[Tensor, Tensor]]):
    """The batches of one epoch: a permutation drawn from seed and epoch, shared among processes.

    Each step takes `batch_size * world` rows, of which process `rank` gets its slice; the last
    step takes fewer rows where the number does not divide, never a row twice.
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
        order = np.random.default_rng((seed, epoch)).permutation(len(tokens))
        steps = range(0, len(order), batch_size * world)
        self.steps = [
            part
            for start in steps
            if len(part := order[start : start + batch_size * world][rank::world])
        ]
        if world > 1:
            fewest = len(order) // (batch_size * world) + (
                len(order) % (batch_size * world) >= world
            )
            self.steps = self.steps[:fewest]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in self.steps:
            yield self.tokens.batch(rows)
