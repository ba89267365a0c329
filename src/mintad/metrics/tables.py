"""Weights per score in bounded memory: the tables behind the pixel metrics.

A table is exact until it has more distinct scores than its capacity. Then neighbouring scores are
joined at their median, so that no row spans more than a small share of the table; a score that is
frequent keeps its own row. What a row spans follows from ranks alone, so neither the range of the
scores nor their distribution matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """Weights per distinct score, from the highest score to the lowest.

    `keys` is `float32 (D,)`, the negated scores in ascending order; `weights` is
    `float64 (K, D)`, its first row the number of pixels.
    """

    keys: Scores
    weights: Floats

    def merged(self, other: ScoreTable) -> ScoreTable:
        """The rows of both, equal scores joined."""
        if not self.keys.size or not other.keys.size:
            return self if self.keys.size else other
        keys = np.concatenate((self.keys, other.keys))
        order = np.argsort(keys, kind="stable")  # of two sorted halves: a linear merge
        weights = np.concatenate((self.weights, other.weights), axis=1)
        return _join_equal(keys[order], weights[:, order])

    def within(self, capacity: int) -> ScoreTable:
        """The table itself, or one of at most `capacity` rows that are joined neighbours.

        Rows begin at even steps of each weight, and of the logarithm of the rank, so that the
        highest scores stay apart: they decide precision where defective pixels are few.
        """
        if self.keys.size <= capacity:
            return self
        total = np.cumsum(self.weights, axis=1)  # (K, D)
        pixels = total[0]
        steps = capacity // (2 * len(total)) - 1
        top = capacity / 32  # below this rank even steps of the logarithm would be less than 1
        is_first = np.zeros(self.keys.size, dtype=bool)
        is_first[0] = True
        for row in total:
            _mark_steps(is_first, row * (steps / row[-1]))
        ranks = np.log(1.0 + pixels / top)
        _mark_steps(is_first, ranks * ((capacity // 2 - 2) / ranks[-1]))
        first = np.flatnonzero(is_first)
        rows = np.diff(first, append=self.keys.size)
        at_end = total[:, first + rows - 1]
        before = np.concatenate((np.zeros((len(total), 1)), at_end[:, :-1]), axis=1)
        half = (before[0] + at_end[0]) / 2
        half[::2] += 0.25  # of two middle pixels, now the higher, now the lower
        middle = first + np.add.reduceat(pixels < np.repeat(half, rows), first, dtype=np.int64)
        return ScoreTable(self.keys[middle], at_end - before)


class Gatherer:
    """Collects pixels in a table of at most `capacity` rows; up to `pending` wait unsorted."""

    def __init__(self, columns: int, capacity: int, pending: int) -> None:
        self.capacity = capacity
        self.pending = pending
        self._table = ScoreTable(np.empty(0, np.float32), np.empty((columns, 0)))
        self._keys: list[Scores] = []
        self._weights: list[Floats] = []
        self._waiting = 0

    def add(self, scores: Scores, weights: Floats | None = None) -> None:
        """Add pixels `(N,)`, with one further weight each `(N,)` for a table of two columns."""
        if not scores.size:
            return
        self._keys.append(np.subtract(np.float32(0.0), scores))  # -0.0 becomes 0.0
        if weights is not None:
            self._weights.append(weights)
        self._waiting += scores.size
        if self._waiting >= self.pending:
            self.table()

    def merge(self, other: Gatherer) -> None:
        """Add everything `other` has gathered."""
        self._table = self.table().merged(other.table()).within(self.capacity)

    def table(self) -> ScoreTable:
        """Everything gathered so far."""
        if self._keys:
            keys = np.concatenate(self._keys)
            if self._weights:
                order = np.argsort(keys)
                weights = np.concatenate(self._weights)[order]
                recent = _join_equal(keys[order], np.stack((np.ones(keys.size), weights)))
            else:
                keys.sort()
                recent = _join_equal(keys)
            self._keys, self._weights, self._waiting = [], [], 0
            recent = recent.within(self.capacity)
            self._table = self._table.merged(recent).within(self.capacity)
        return self._table


def _mark_steps(is_first: NDArray[np.bool_], level: Floats) -> None:
    """Mark the rows `(D,)` whose ascending `level` has passed a whole number."""
    step = level.astype(np.int64)
    is_first[1:] |= step[1:] != step[:-1]


def _join_equal(keys: Scores, weights: Floats | None = None) -> ScoreTable:
    """A table of ascending keys `(N,)`; each weighs 1 without weights `(K, N)`."""
    start = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    if weights is None:
        return ScoreTable(keys[start], np.diff(start, append=keys.size).astype(np.float64)[None])
    if start.size == keys.size:
        return ScoreTable(keys, weights)
    return ScoreTable(keys[start], np.add.reduceat(weights, start, axis=1))
