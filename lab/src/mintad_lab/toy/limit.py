"""What no denoising autoencoder can do better: the mean of the clean points, given a jittered one.

A network of any size that is trained on squared error tends to this posterior mean, so what it
rebuilds between classes is the jitter's doing and not the network's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mintad_lab.toy.measures import Ground, Measures, measure
from mintad_lab.toy.shapes import Scene, plane
from mintad_lab.toy.training import Budget, Network, Trained, draw

_POINTS = 400
_CHUNK = 1000

BEST = Network("best denoising", 0, 0)
BEST_AWARE = Network("best class-aware", 0, 0)


def best_possible(
    scene: Scene, ground: Ground, budget: Budget, seeds: Sequence[int]
) -> tuple[Trained, Trained]:
    """The posterior mean over normal points, and over those of the nearest point's class alone."""
    cells = plane(len(ground.owner)).reshape(-1, 2)
    fields: tuple[list[NDArray[np.float32]], ...] = ([], [])
    measures: tuple[list[Measures], ...] = ([], [])
    for seed in seeds:
        normal, classes = scene.sample(_POINTS, np.random.default_rng((seed, 1)))
        drawn = draw(scene, budget.points, seed)
        found = [
            posterior_errors(points, normal, classes, budget.jitter)
            for points in (cells, drawn.held_out, drawn.test)
        ]
        for kind in (0, 1):
            field, held_errors, test_errors = (errors[kind] for errors in found)
            fields[kind].append(field.reshape(ground.owner.shape))
            measures[kind].append(measure(ground, fields[kind][-1], held_errors, test_errors))
    first = draw(scene, budget.points, seeds[0])
    one, other = (
        Trained(
            network, 0, np.stack(fields[kind]), first.points, first.classes, tuple(measures[kind])
        )
        for kind, network in enumerate((BEST, BEST_AWARE))
    )
    return one, other


def posterior_errors(
    points: NDArray[np.float64],
    normal: NDArray[np.float64],
    classes: NDArray[np.int64],
    jitter: float,
) -> NDArray[np.float32]:
    """The distance from points `(N, 2)` to the mean of the normal points `(M, 2)`: `(2, N)`.

    Each normal point weighs as much as it is likely to become the given one by jitter. In the
    first row all of them count, in the second those of the nearest one's class.
    """
    errors = np.empty((2, len(points)), np.float32)
    for start in range(0, len(points), _CHUNK):
        part = points[start : start + _CHUNK]
        squares = np.square(part[:, None] - normal).sum(axis=2).astype(np.float32)  # (n, M)
        weights = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * jitter**2))
        own = weights * (classes[squares.argmin(axis=1)][:, None] == classes)
        for row, kind in enumerate((weights, own)):
            mean = kind @ normal / kind.sum(axis=1, keepdims=True)
            errors[row, start : start + _CHUNK] = np.linalg.norm(mean - part, axis=1)
    return errors
