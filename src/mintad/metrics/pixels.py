"""Pixel metrics of a stream of anomaly maps, in bounded memory.

Every pixel metric, AUPRO included, is a function of three weights per score: good pixels,
defective pixels, and the sum of 1 / |region| over the defective pixels. Two tables hold them, one
of the good and one of the defective pixels (see `mintad.metrics.tables`). A row of good pixels
stands in the middle of those it joins, so that its errors cancel to first order; a row of
defective pixels shifts average precision by about half its share of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mintad.metrics.curves import Ranking
from mintad.metrics.regions import region_weights
from mintad.metrics.tables import Gatherer, ScoreTable

CAPACITY = 2**17
"""Rows of each table: 12 bytes each for good pixels, 20 for defective ones."""

PENDING = 2**19
"""Good pixels that wait to be sorted together, 4 bytes each; a quarter as many defective ones."""


class PixelAccumulator:
    """Gathers the pixels of one product, or of several, in a ranking for the pixel metrics.

    The ranking is exact while neither class has more than `capacity` distinct scores. Memory is
    bounded for any number of maps: about 8 MB with the capacity given here.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        if capacity < 64:
            raise ValueError(f"The capacity must be at least 64, not {capacity}.")
        self.good_pixels = 0
        self.defective_pixels = 0
        self._lowest, self._highest = np.inf, -np.inf
        self._good = Gatherer(1, capacity, PENDING)
        self._defective = Gatherer(2, capacity, PENDING // 4)

    def update(self, anomaly_map: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        """Add a map `(H, W)` with its mask `(H, W)`, True on defective pixels.

        Raises `ValueError` where the shapes differ or a value is not finite, and adds nothing.
        """
        if anomaly_map.ndim != 2 or anomaly_map.shape != mask.shape:
            raise ValueError(f"Map {anomaly_map.shape} and mask {mask.shape} must both be (H, W).")
        if mask.dtype != np.bool_:
            raise ValueError(f"A mask must be bool, not {mask.dtype}.")
        scores = anomaly_map.astype(np.float32, copy=False)
        if not np.isfinite(scores).all():
            raise ValueError("The anomaly map holds NaN or infinity.")
        self._lowest = float(scores.min(initial=self._lowest))
        self._highest = float(scores.max(initial=self._highest))
        if mask.any():
            weights = region_weights(mask)
            self._defective.add(scores[mask], weights)
            self.defective_pixels += weights.size
            scores = scores[~mask]
        self._good.add(scores.ravel())
        self.good_pixels += scores.size

    def merge(self, other: PixelAccumulator) -> None:
        """Add everything `other` has gathered; `other` keeps it."""
        self._good.merge(other._good)
        self._defective.merge(other._defective)
        self.good_pixels += other.good_pixels
        self.defective_pixels += other.defective_pixels
        self._lowest = min(self._lowest, other._lowest)
        self._highest = max(self._highest, other._highest)

    @property
    def undefined(self) -> str | None:
        """Why the metrics are undefined so far, or None."""
        if not self.defective_pixels:
            return "no defective pixels"
        return None if self.good_pixels else "no good pixels"

    def ranking(self) -> Ranking:
        """All pixels so far; raises `ValueError` where their metrics are undefined."""
        if self.undefined:
            raise ValueError(f"Pixel metrics are undefined: {self.undefined}.")
        good, defective = self._good.table(), self._defective.table()
        rows = ScoreTable(good.keys, np.pad(good.weights, ((0, 2), (0, 0)))).merged(
            ScoreTable(defective.keys, np.pad(defective.weights, ((1, 0), (0, 0))))
        )
        negatives, positives, overlaps = rows.weights
        scores = -rows.keys.astype(np.float64)
        return Ranking(scores, positives, negatives, self._lowest, self._highest, overlaps)
