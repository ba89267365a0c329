"""Puts the scores of all products on one scale, from held-out good images alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class ScoreScale(NamedTuple):
    """The line that puts the raw scores and maps of a product on the scale of all products."""

    centre: float = 0.0
    spread: float = 1.0

    def score(self, raw: float) -> float:
        """`(raw - centre) / spread`: 0 for a usual good image, higher is more anomalous."""
        return (raw - self.centre) / self.spread

    def anomaly_map(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same of every value of a raw map `(h, w)`, computed in double precision."""
        return ((raw.astype(np.float64) - self.centre) / self.spread).astype(np.float32)


def fit_scale(scores: NDArray[np.floating]) -> ScoreScale:
    """The median of good scores, and the mean distance from it of those above it.

    Only the upper half sets the spread: it is the side on which a false alarm lies. The two are
    exact for a shifted exponential tail and stable from about eight images on. Fewer than three
    scores above the median, as of one image or of equal ones, give a spread of a tenth of it (1
    where it is 0). Raises ValueError without a score.
    """
    if scores.size == 0:
        raise ValueError("no scores to fit a scale to")
    centre = float(np.median(scores))
    above = scores[scores > centre] - centre
    floor = 0.1 * abs(centre) or 1.0
    spread = float(above.mean()) if above.size >= 3 else floor
    return ScoreScale(centre, max(spread, 1e-6 * floor))
