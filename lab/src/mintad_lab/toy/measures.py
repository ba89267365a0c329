"""What a decision field is worth: how much is rebuilt that should not be, and how rough it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mintad_lab.toy.shapes import TUBE, Scene, plane

SIDE = 120
"""The fields have SIDE * SIDE cells."""

MARGIN = 0.1
"""Points nearer than this to a tube count neither as normal nor as anomalous."""

KEPT = 0.95
"""The share of held-out normal points that stay at or under the threshold."""

_DIRECTIONS = 60

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ground:
    """A scene on the grid: `owner` `(SIDE, SIDE)` is the class whose tube covers a cell, or -1.

    `distance` is the way to the nearest tube. `outside` is farther than the margin from every
    tube; `between` is the part of it that lies between classes.
    """

    owner: NDArray[np.int64]
    distance: NDArray[np.float64]
    outside: Mask
    between: Mask


def survey(scene: Scene, side: int = SIDE) -> Ground:
    """Where the normal, the outside and the between-class area of a scene lie."""
    distances = scene.distances(plane(side))  # (K, side, side)
    nearest = distances.min(axis=0)
    owner = np.where(nearest <= TUBE, distances.argmin(axis=0), -1)
    outside = nearest > TUBE + MARGIN
    return Ground(owner, np.maximum(nearest - TUBE, 0), outside, outside & between(owner))


def between(owner: NDArray[np.int64], directions: int = _DIRECTIONS) -> Mask:
    """Cells of `owner` `(n, n)` from which one looks at one class, and straight back at another.

    A cell is between classes if a straight line through it, in one of `directions` evenly spread
    over the half turn, meets the tube of one class first on its one side and the tube of another
    class first on its other side. The inside of a ring is not: all lines meet the ring itself.
    """
    cells = np.zeros(owner.shape, np.bool_)
    for angle in np.pi * np.arange(directions) / directions:
        ahead, behind = _first_met(owner, angle), _first_met(owner, angle + np.pi)
        cells |= (ahead >= 0) & (behind >= 0) & (ahead != behind)
    return cells & (owner < 0)


def _first_met(owner: NDArray[np.int64], angle: float) -> NDArray[np.int64]:
    """The class that each cell of `(n, n)` sees first in a direction, -1 for none."""
    side = len(owner)
    padded = np.pad(owner, side, constant_values=-1)
    met = np.full_like(owner, -1)
    for step in range(1, side):
        down, right = round(step * np.sin(angle)), round(step * np.cos(angle))
        seen = padded[side + down : 2 * side + down, side + right : 2 * side + right]
        np.copyto(met, seen, where=met < 0)
    return met


def share(accepted: Mask, area: Mask) -> float | None:
    """The share of an area's cells that is accepted; None for an empty area."""
    return float(accepted[area].mean()) if area.any() else None


def perimeter(area: Mask) -> int:
    """The number of cell edges between an area and the rest of the grid."""
    return int((area[1:] != area[:-1]).sum() + (area[:, 1:] != area[:, :-1]).sum())


@dataclass(frozen=True)
class Measures:
    """The numbers of one network on one scene; shares are of cells of the grid.

    `interference` is the share of the between-class area that is rebuilt: whose error is at
    or under `threshold`; None with a single class. `outside` is the same share of everything
    outside, `copied` the share of the outside that is moved by less than half its distance to
    the nearest tube, whatever the threshold. `false_alarms` is the share of normal points, held
    out from training and threshold, whose error is above it. `roughness` is the perimeter of
    what is rebuilt over the perimeter of the tubes.
    """

    interference: float | None
    outside: float
    copied: float
    false_alarms: float
    roughness: float
    threshold: float


def measure(
    ground: Ground,
    field: NDArray[np.floating],
    held_out: NDArray[np.floating],
    test: NDArray[np.floating],
) -> Measures:
    """The measures of an error field `(SIDE, SIDE)`.

    `held_out` and `test` are errors `(N,)` of normal points; the threshold comes from the first,
    the false alarms from the second.
    """
    threshold = float(np.quantile(held_out, KEPT))
    accepted = field <= threshold
    outside = share(accepted, ground.outside)
    copied = share(field < 0.5 * ground.distance, ground.outside)
    assert outside is not None
    assert copied is not None
    return Measures(
        interference=share(accepted, ground.between),
        outside=outside,
        copied=copied,
        false_alarms=float((test > threshold).mean()),
        roughness=perimeter(accepted) / perimeter(ground.owner >= 0),
        threshold=threshold,
    )
