"""Normal points in the plane: one shape per class, each a tube around a curve."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

TUBE = 0.08
"""The radius of a tube: points this near to a curve are normal."""

WINDOW = 1.5
"""The picture shows the square from -WINDOW to WINDOW."""


@dataclass(frozen=True)
class Scene:
    """Classes in the plane; `curves` holds a polyline `(M, 2)` for each."""

    name: str
    curves: tuple[Points, ...]

    @property
    def classes(self) -> int:
        """K, the number of classes."""
        return len(self.curves)

    def sample(self, count: int, rng: np.random.Generator) -> tuple[Points, NDArray[np.int64]]:
        """`count` normal points of each class `(K * count, 2)`, and their classes.

        A point lies at a uniform place of its curve, and uniformly in the disc around it.
        """
        points = np.concatenate([_sample(curve, count, rng) for curve in self.curves])
        return points, np.repeat(np.arange(self.classes), count)

    def distances(self, points: Points) -> Points:
        """From each point `(..., 2)` to the curve of each class: `(K, ...)`."""
        return np.stack([_distance(points, curve) for curve in self.curves])


def _ring(x: float, y: float, radius: float, start: float = 0.0, turn: float = 2.0) -> Points:
    """An arc of `turn` half turns that begins after `start` half turns."""
    angle = np.pi * (start + turn * np.linspace(0, 1, 181))
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


def _bar(x: float, low: float, high: float) -> Points:
    return np.array([[x, low], [x, high]])


SCENES = {
    scene.name: scene
    for scene in (
        Scene("ring", (_ring(0, 0, 0.8),)),
        Scene("two rings", (_ring(-0.75, 0, 0.5), _ring(0.75, 0, 0.5))),
        Scene("moons", (_ring(-0.35, -0.15, 0.7, 0, 1), _ring(0.35, 0.15, 0.7, 1, 1))),
        Scene("bars", (_bar(-0.9, -0.8, 0.8), _bar(0, -0.8, 0.8), _bar(0.9, -0.8, 0.8))),
    )
}


def plane(side: int) -> Points:
    """The middles of `side * side` cells of the window, `(side, side, 2)`; y grows downwards."""
    places = ((np.arange(side) + 0.5) / side * 2 - 1) * WINDOW
    x, y = np.meshgrid(places, places)
    return np.stack([x, y], axis=-1)


def _sample(curve: Points, count: int, rng: np.random.Generator) -> Points:
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    along = np.concatenate(([0.0], np.cumsum(steps)))
    place = rng.uniform(0, along[-1], count)
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = TUBE * np.sqrt(rng.uniform(0, 1, count))
    centre = np.stack([np.interp(place, along, curve[:, axis]) for axis in (0, 1)], axis=1)
    return centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _distance(points: Points, curve: Points) -> Points:
    """From each point `(..., 2)` to the nearest point of a polyline `(M, 2)`."""
    nearest = np.full(points.shape[:-1], np.inf)
    for start, end in pairwise(curve):
        step = end - start
        share = np.clip((points - start) @ step / (step @ step), 0, 1)
        gap = np.linalg.norm(points - start - share[..., None] * step, axis=-1)
        np.minimum(nearest, gap, out=nearest)
    return nearest
