"""Exact curves and areas, on scores that are already ranked.

The functions take the weight of the positives and of the negatives at each distinct score, from
the highest score to the lowest. Equal scores share one threshold, as in scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

FPR_LIMIT = 0.3


@dataclass(frozen=True, slots=True)
class ImageMetrics:
    """Image AUROC, average precision and the best F1 with its threshold."""

    auroc: float
    ap: float
    f1max: float
    threshold: float


def rank(scores: ArrayLike, positives: ArrayLike, negatives: ArrayLike) -> tuple[Floats, ...]:
    """Sort from the highest score to the lowest and add up the weights of equal scores.

    Takes three arrays `(N,)` and returns them as `(D,)`, one element per distinct score.
    """
    scores, positives, negatives = (
        np.asarray(values, dtype=np.float64) for values in (scores, positives, negatives)
    )
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    start = np.flatnonzero(np.diff(scores, prepend=np.inf))
    if start.size == 0:
        return scores, positives, negatives
    return (
        scores[start],
        np.add.reduceat(positives[order], start),
        np.add.reduceat(negatives[order], start),
    )


def auroc(positives: Floats, negatives: Floats) -> float:
    """Area under the curve of true positive rate against false positive rate."""
    below = negatives.sum() - np.cumsum(negatives)
    won = np.sum(positives * (below + 0.5 * negatives))
    return float(won / (positives.sum() * negatives.sum()))


def average_precision(positives: Floats, negatives: Floats) -> float:
    """Sum of precision times the step in recall, over all thresholds (no trapezoids)."""
    hits = np.cumsum(positives)
    alarms = hits + np.cumsum(negatives)
    return float(np.sum(positives * hits / np.maximum(alarms, 1e-300)) / hits[-1])


def f1_max(scores: Floats, positives: Floats, negatives: Floats) -> tuple[float, float]:
    """The largest F1 over all thresholds, and the highest score that attains it as threshold."""
    hits = np.cumsum(positives)
    alarms = hits + np.cumsum(negatives)
    f1 = 2.0 * hits / (alarms + hits[-1])
    best = int(np.argmax(f1))
    return float(f1[best]), float(scores[best])


def overlap_area(overlaps: Floats, negatives: Floats, limit: float = FPR_LIMIT) -> float:
    """AUPRO: area under the mean overlap per region against the false positive rate.

    `overlaps` holds the sum of 1 / (pixels of the region) over the defective pixels at each
    score (Bergmann et al., MVTec AD, section 4). The area up to `limit`, where the curve is
    interpolated linearly, is divided by `limit`.
    """
    rate = np.concatenate(([0.0], np.cumsum(negatives) / negatives.sum()))
    overlap = np.concatenate(([0.0], np.cumsum(overlaps) / overlaps.sum()))
    stop = int(np.searchsorted(rate, limit))
    before, after = rate[stop - 1], rate[stop]
    share = (limit - before) / (after - before)
    last = overlap[stop - 1] + share * (overlap[stop] - overlap[stop - 1])
    overlap = np.append(overlap[:stop], last)
    steps = np.diff(rate[:stop], append=limit)
    return float(np.sum(steps * (overlap[1:] + overlap[:-1])) / (2 * limit))


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats]:
    """False and true positive rates `(D + 1,)` at every threshold, from (0, 0) to (1, 1)."""
    _, positives, negatives = _ranked_labels(scores, labels)
    rates = (np.cumsum(weights) / weights.sum() for weights in (negatives, positives))
    false_rate, true_rate = (np.concatenate(([0.0], rate)) for rate in rates)
    return false_rate, true_rate


def image_metrics(scores: ArrayLike, labels: ArrayLike) -> ImageMetrics:
    """Exact metrics of scores `(N,)` with labels `(N,)`, 0 good and 1 defective.

    Raises `ValueError` where a score is not finite, a label is neither 0 nor 1, or one of the
    two classes is missing.
    """
    ranked = _ranked_labels(scores, labels)
    best, threshold = f1_max(*ranked)
    return ImageMetrics(auroc(*ranked[1:]), average_precision(*ranked[1:]), best, threshold)


def _ranked_labels(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats, Floats]:
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
    ranked, positives, negatives = rank(scores, defective, good)
    return ranked, positives, negatives
