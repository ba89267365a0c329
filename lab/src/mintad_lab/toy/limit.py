"""What no denoising autoencoder can do better: the mean of the clean points, given a jittered one.

A network of any size that is trained on squared error tends to this posterior mean, so what it
rebuilds between classes is the jitter's doing and not the network's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mintad_lab.toy.measures import Ground
from mintad_lab.toy.shapes import Points, Scene
from mintad_lab.toy.training import Budget, Network, Trained, draw, judge

_POINTS = 400
_CHUNK = 1000

BEST = Network("best denoising", depth=0)
BEST_AWARE = Network("best class-aware", depth=0)


def best_possible(
    scene: Scene, ground: Ground, network: Network, budget: Budget, seeds: Sequence[int]
) -> Trained:
    """The posterior mean over normal points; for `BEST_AWARE` over those of one class alone."""
    samples = [scene.sample(_POINTS, np.random.default_rng((seed, 1))) for seed in seeds]
    aware = network == BEST_AWARE

    def errors(points: Sequence[Points]) -> NDArray[np.float32]:
        return np.stack(
            [
                posterior_errors(part, *sample, budget.jitter, aware=aware)
                for part, sample in zip(points, samples, strict=True)
            ]
        )

    return judge(ground, [draw(scene, budget.points, seed) for seed in seeds], 0, errors)


def posterior_errors(
    points: Points, normal: Points, classes: NDArray[np.int64], jitter: float, *, aware: bool
) -> NDArray[np.float32]:
    """The distance `(N,)` from points `(N, 2)` to the mean of the normal points `(M, 2)`.

    Each normal point weighs as much as it is likely to become the given one by jitter; with
    `aware` those of the nearest one's class count alone.
    """
    errors = np.empty(len(points), np.float32)
    for start in range(0, len(points), _CHUNK):
        part = points[start : start + _CHUNK]
        squares = np.square(part[:, None] - normal).sum(axis=2).astype(np.float32)  # (n, M)
        weights = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * jitter**2))
        if aware:
            weights = weights * (classes[squares.argmin(axis=1)][:, None] == classes)
        mean = weights @ normal / weights.sum(axis=1, keepdims=True)
        errors[start : start + _CHUNK] = np.linalg.norm(mean - part, axis=1)
    return errors
