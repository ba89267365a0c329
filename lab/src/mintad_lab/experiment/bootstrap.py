"""Paired bootstrap of a difference in image AUROC: the same images drawn for both methods."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
LEVEL = 0.95

Scores = Mapping[str, Mapping[str, Sequence[float]]]
"""For each product its image `scores` and `labels`, in the order of the test images."""


class Difference(NamedTuple):
    """A difference of macro image AUROCs, and the interval that holds 95% of the draws."""

    value: float
    low: float
    high: float

    def text(self) -> str:
        """`+0.012 [-0.003, +0.027]`."""
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def paired_difference(
    first: Sequence[Scores], second: Sequence[Scores], *, draws: int = DRAWS
) -> Difference | None:
    """The macro image AUROC of `first` less that of `second`, each the mean over its seeds.

    Seed by seed both hold the scores of the same test images. Within each product good and
    defective images are drawn anew, with replacement, the same ones for both methods and for all
    seeds: the interval is one of test images, not of trainings. None where the two share no seed,
    their images differ, or a product has but one class.
    """
    pairs = list(zip(first, second, strict=False))
    if not pairs or len(first) != len(second):
        return None
    values, drawn = [], []
    for product in sorted(pairs[0][0]):
        advantage = _mean_advantage(pairs, product)
        if advantage is None:
            return None
        generator = np.random.default_rng(zlib.crc32(product.encode()))
        defective, good = (_counts(generator, size, draws) for size in advantage.shape)
        values.append(float(advantage.mean()))
        drawn.append(((defective @ advantage) * good).sum(1) / advantage.size)  # (draws,)
    low, high = np.quantile(np.mean(drawn, axis=0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(float(np.mean(values)), float(low), float(high))


def _mean_advantage(
    pairs: Sequence[tuple[Scores, Scores]], product: str
) -> NDArray[np.float32] | None:
    """How much more often the first method ranks each pair of images rightly, over the seeds.

    `(defective, good)`, from -1 to 1: an AUROC is the mean of such a matrix, a resampled one its
    weighted mean. None where the images differ.
    """
    total: NDArray[np.float32] | None = None
    for first, second in pairs:
        if product not in second:
            return None
        labels = np.asarray(first[product]["labels"])
        if not np.array_equal(labels, second[product]["labels"]) or len(set(labels.tolist())) < 2:
            return None
        advantage = _wins(first[product], labels) - _wins(second[product], labels)
        if total is not None and total.shape != advantage.shape:
            return None
        total = advantage if total is None else total + advantage
    assert total is not None
    return total / np.float32(len(pairs))


def _wins(scored: Mapping[str, Any], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    scores = np.asarray(scored["scores"], np.float64)
    defective, good = scores[labels == 1][:, None], scores[labels == 0]
    wins: NDArray[np.float32] = (defective > good).astype(np.float32)
    wins += np.float32(0.5) * (defective == good)
    return wins


def _counts(generator: np.random.Generator, size: int, draws: int) -> NDArray[np.float32]:
    """How often each of `size` images is in each of the draws: `(draws, size)`."""
    chosen = generator.integers(size, size=(draws, size))
    flat = chosen + size * np.arange(draws)[:, None]
    counts = np.bincount(flat.ravel(), minlength=draws * size)
    return counts.reshape(draws, size).astype(np.float32)
