"""Exact curves and areas of scores that are ranked.

Equal scores share one threshold, as in scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class UndefinedError(ValueError):
    """A metric has no value; the message says why, in a few words."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """What stands at each of `D` distinct scores, from the highest to the lowest.

    `positives` and `negatives` count defective and good images, or pixels; `overlaps` sums
    1 / (pixels of its region) over defective pixels, and is empty for images. All are `(D,)`.
    `lowest` and `highest` are exact, also where pixels of neighbouring scores were joined.
    """

    scores: Floats
    positives: Floats
    negatives: Floats
    lowest: float
    highest: float
    overlaps: Floats = field(default_factory=lambda: np.empty(0))


def rank(scores: ArrayLike, labels: ArrayLike) -> Ranking:
    """The ranking of image scores `(N,)` with labels `(N,)`, 0 good and 1 defective.

    Raises `ValueError` where a score is not finite, a label is neither 0 nor 1, or one of the
    two classes is missing.
    """
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(f"Scores {scores.shape} and labels {labels.shape} must be two lists.")
    if not np.isfinite(scores).all():
        raise ValueError("A score is NaN or infinite.")
    defective, good = labels == 1, labels == 0
    if not (defective | good).all():
        raise ValueError("A label is neither 0 nor 1.")
    if not defective.any() or not good.any():
        raise ValueError("Good and defective images are both needed.")
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    start = np.flatnonzero(np.diff(scores, prepend=np.inf))
    return Ranking(
        scores[start],
        np.add.reduceat(defective[order], start, dtype=np.float64),
        np.add.reduceat(good[order], start, dtype=np.float64),
        lowest=float(scores[-1]),
        highest=float(scores[0]),
    )


def roc_curve(ranking: Ranking) -> tuple[Floats, Floats]:
    """False and true positive rates `(D + 1,)` at every threshold, from (0, 0) to (1, 1)."""
    counts = (np.cumsum(weights) for weights in (ranking.negatives, ranking.positives))
    false_rate, true_rate = (np.concatenate(([0.0], count / count[-1])) for count in counts)
    return false_rate, true_rate


def auroc(ranking: Ranking) -> float:
    """Area under the curve of true positive rate against false positive rate."""
    positives, negatives = ranking.positives, ranking.negatives
    below = negatives.sum() - np.cumsum(negatives)
    won = np.sum(positives * (below + 0.5 * negatives))
    return float(won / (positives.sum() * negatives.sum()))


def average_precision(ranking: Ranking) -> float:
    """Sum of precision times the step in recall, over all thresholds (no trapezoids)."""
    hits = np.cumsum(ranking.positives)
    alarms = hits + np.cumsum(ranking.negatives)
    return float(np.sum(ranking.positives * hits / np.maximum(alarms, 1e-300)) / hits[-1])


def f1_max(ranking: Ranking, thresholds: Floats | None = None) -> float:
    """The largest F1 over all thresholds, or over those given `(T,)`: above one is an alarm."""
    if thresholds is None:
        hits, false_alarms = np.cumsum(ranking.positives), np.cumsum(ranking.negatives)
    else:
        hits = _above(ranking, ranking.positives, thresholds)
        false_alarms = _above(ranking, ranking.negatives, thresholds)
    return float(np.max(2.0 * hits / (hits + false_alarms + ranking.positives.sum())))


def overlap_area(ranking: Ranking, limit: float) -> float:
    """AUPRO: area under the mean overlap per region against the false positive rate.

    See Bergmann et al., MVTec AD, section 4. The area up to `limit`, where the curve is
    interpolated linearly, is divided by `limit`.
    """
    negatives, overlaps = ranking.negatives, ranking.overlaps
    rate = np.concatenate(([0.0], np.cumsum(negatives) / negatives.sum()))
    overlap = np.concatenate(([0.0], np.cumsum(overlaps) / overlaps.sum()))
    stop = int(np.searchsorted(rate, limit))
    before, after = rate[stop - 1], rate[stop]
    share = (limit - before) / (after - before)
    last = overlap[stop - 1] + share * (overlap[stop] - overlap[stop - 1])
    overlap = np.append(overlap[:stop], last)
    steps = np.diff(rate[:stop], append=limit)
    return float(np.sum(steps * (overlap[1:] + overlap[:-1])) / (2 * limit))


def overlap_area_at(ranking: Ranking, thresholds: Floats, limit: float, scale: str) -> float:
    """AUPRO from the points of ascending `thresholds` `(T,)`, nothing before the first point.

    The area below `limit` is divided by `limit` for the scale "limit", by the last rate below it
    for "last", and for "span" by the distance from the first rate to the last. Raises
    `UndefinedError` where fewer than two points lie below the limit.
    """
    negatives, overlaps = ranking.negatives, ranking.overlaps
    rate = _above(ranking, negatives, thresholds)[::-1] / negatives.sum()  # ascending
    overlap = _above(ranking, overlaps, thresholds)[::-1] / overlaps.sum()
    below = rate < limit
    rate, overlap = rate[below], overlap[below]
    start = rate[0] if scale == "span" and rate.size else 0.0
    if rate.size < 2 or rate[-1] <= start:
        raise UndefinedError("fewer than two thresholds below the limit")
    end = limit if scale == "limit" else rate[-1]
    area = np.sum(np.diff(rate) * (overlap[1:] + overlap[:-1])) / 2
    return float(area / (end - start))


def _above(ranking: Ranking, weights: Floats, thresholds: Floats) -> Floats:
    """The weight above each threshold `(T,)`."""
    count = np.searchsorted(-ranking.scores, -thresholds, side="left")
    sums: Floats = np.concatenate(([0.0], np.cumsum(weights)))[count]
    return sums
