"""Structure in a cloud of vectors: principal axes, clusters, and what can be read from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

FEWEST = 20
"""With fewer images nothing is said of the structure within a product."""

_RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """Up to `most` of `count` places, evenly spread from the first to the last."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(np.intp)


@dataclass(frozen=True)
class Projection:
    """A plane through a cloud: `mean` `(C,)`, `axes` `(C, 2)`, share of the variance it holds."""

    mean: Vectors
    axes: Vectors
    share: float

    def __call__(self, vectors: NDArray[np.floating]) -> Vectors:
        """Coordinates `(N, 2)` of vectors `(N, C)`."""
        placed: Vectors = (vectors.astype(np.float64) - self.mean) @ self.axes
        return placed


def principal_plane(vectors: NDArray[np.floating]) -> Projection:
    """The two directions of the largest variance of vectors `(N, C)`; C may be 1."""
    rows = vectors.astype(np.float64)
    mean = rows.mean(axis=0)
    _, sizes, directions = np.linalg.svd(rows - mean, full_matrices=False)
    axes = np.zeros((rows.shape[1], 2))
    axes[:, : min(2, len(directions))] = directions[:2].T
    variance = float(np.square(sizes).sum())
    return Projection(mean, axes, float(np.square(sizes[:2]).sum()) / variance if variance else 0.0)


def explained(
    original: NDArray[np.floating], rebuilt: NDArray[np.floating], mean: Vectors
) -> float:
    """1 - squared error of rebuilding `(N, C)` over squared distance from `mean`; 1 is exact."""
    error = np.square(rebuilt.astype(np.float64) - original).sum()
    return 1.0 - float(error / np.square(original.astype(np.float64) - mean).sum())


def clusters(
    vectors: NDArray[np.floating], count: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """k-means: the cluster of each of vectors `(N, C)`, the best of ten starts (k-means++)."""
    rows = vectors.astype(np.float64)
    best, least = np.zeros(len(rows), np.intp), np.inf
    for _ in range(10):
        centres = rows[rng.integers(len(rows))][None]
        while len(centres) < count:
            gaps = _squares(rows, centres).min(axis=1)
            total = gaps.sum()
            chances = gaps / total if total > 0 else None
            centres = np.vstack([centres, rows[rng.choice(len(rows), p=chances)]])
        for _ in range(50):
            nearest = _squares(rows, centres).argmin(axis=1)
            moved = np.stack(
                [
                    rows[nearest == k].mean(axis=0) if (nearest == k).any() else centres[k]
                    for k in range(count)
                ]
            )
            if np.array_equal(moved, centres):
                break
            centres = moved
        spread = float(_squares(rows, centres).min(axis=1).sum())
        if spread < least:
            best, least = nearest, spread
    return best


def silhouette(vectors: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The mean silhouette (Rousseeuw 1987) of vectors `(N, C)` in clusters, -1 to 1.

    A vector alone in its cluster counts as 0. At least two clusters are needed.
    """
    rows = vectors.astype(np.float64)
    gaps = np.sqrt(_squares(rows, rows))
    names = np.unique(labels)
    sums = np.stack([gaps[:, labels == name].sum(axis=1) for name in names], axis=1)  # (N, K)
    sizes = np.array([(labels == name).sum() for name in names])
    own = np.searchsorted(names, labels)
    index = np.arange(len(rows))
    inner = sums[index, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[index, own] = np.inf
    outer = means.min(axis=1)
    widths = np.maximum(np.maximum(inner, outer), 1e-300)
    return float(np.where(sizes[own] > 1, (outer - inner) / widths, 0.0).mean())


@dataclass(frozen=True)
class Subclasses:
    """The clearest clusters of a product's tokens.

    `reference` is the silhouette of as many clusters in normally distributed vectors of the same
    covariance, which have no clusters: only a silhouette well above it says that there are some.
    """

    count: int
    silhouette: float
    reference: float
    labels: NDArray[np.intp]


def subclasses(vectors: NDArray[np.floating], most: int = 6) -> Subclasses | None:
    """The number of clusters from 2 to `most` with the highest silhouette; None for few vectors."""
    rows = vectors.astype(np.float64)
    if len(rows) < FEWEST or not np.ptp(rows, axis=0).any():
        return None
    rng = np.random.default_rng(0)
    groupings = {count: clusters(rows, count, rng) for count in range(2, most + 1)}
    scores = {count: silhouette(rows, labels) for count, labels in groupings.items()}
    count = max(scores, key=lambda count: scores[count])
    centred = rows - rows.mean(axis=0)
    mixed = [rng.standard_normal((len(rows), len(rows))) @ centred for _ in range(3)]
    null = [silhouette(cloud, clusters(cloud, count, rng)) for cloud in mixed]
    return Subclasses(count, scores[count], float(np.mean(null)), groupings[count])


def ridge_r2(vectors: NDArray[np.floating], targets: Vectors) -> float:
    """Cross-validated R² of targets `(N, t)` read linearly from vectors `(N, C)`.

    Five folds; the ridge is chosen within each fold's training part, again by five folds. 0 is
    what the mean alone would do; below 0 is worse.
    """
    rows = vectors.astype(np.float64)
    predicted = np.empty_like(targets)
    for held in _folds(len(rows)):
        inner, wanted = rows[~held], targets[~held]
        errors = []
        for ridge in _RIDGES:
            guesses = np.empty_like(wanted)
            for part in _folds(len(inner)):
                guesses[part] = _ridge(inner[~part], wanted[~part], inner[part], ridge)
            errors.append(np.square(guesses - wanted).sum())
        best = _RIDGES[int(np.argmin(errors))]
        predicted[held] = _ridge(inner, wanted, rows[held], best)
    return explained(targets, predicted, targets.mean(axis=0))


def neighbours_r2(vectors: NDArray[np.floating], targets: Vectors, count: int = 5) -> float:
    """R² of targets `(N, t)` as the mean of the `count` nearest other vectors' targets."""
    rows = vectors.astype(np.float64)
    gaps = _squares(rows, rows)
    np.fill_diagonal(gaps, np.inf)
    nearest = np.argpartition(gaps, count, axis=1)[:, :count]
    return explained(targets, targets[nearest].mean(axis=1), targets.mean(axis=0))


def _ridge(rows: Vectors, targets: Vectors, asked: Vectors, ridge: float) -> Vectors:
    """Ridge regression in its dual form, so that many channels cost nothing."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0) * rows.shape[1] ** 0.5
    inner, outer = (rows - mean) / scale, (asked - mean) / scale
    centre = targets.mean(axis=0)
    gram = inner @ inner.T + ridge * np.eye(len(inner))
    answer: Vectors = centre + outer @ inner.T @ np.linalg.solve(gram, targets - centre)
    return answer


def _folds(count: int, folds: int = 5) -> list[NDArray[np.bool_]]:
    order = np.random.default_rng(0).permutation(count) % folds
    return [order == fold for fold in range(folds)]


def _squares(rows: Vectors, others: Vectors) -> Vectors:
    """Squared distances `(N, M)`."""
    gaps = np.square(rows).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    squares: Vectors = np.maximum(gaps - 2 * rows @ others.T, 0)
    return squares
