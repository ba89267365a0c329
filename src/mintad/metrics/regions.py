"""The connected regions of a mask: 8-connected, numpy only.

A mask is cut into horizontal runs; runs that touch across two rows are joined, all at once, until
nothing changes. The work grows with the number of runs, not of pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]


def region_weights(mask: Mask) -> NDArray[np.float64]:
    """Weigh each pixel of a `(H, W)` mask by 1 / (pixels of its region), as `anomaly_map[mask]`.

    The weights sum to the number of regions: the mean overlap of the regions with any set of
    pixels is the sum of the set's weights divided by that number.
    """
    region, length = _regions_of_runs(mask)
    sizes = np.bincount(region, weights=length)
    return np.repeat(1.0 / sizes[region], length)


def _regions_of_runs(mask: Mask) -> tuple[Indices, Indices]:
    """A number of the region, and the length, of each horizontal run in raster order."""
    if mask.ndim != 2:
        raise ValueError(f"A mask must be (H, W), not {mask.shape}.")
    height, width = mask.shape
    stride = width + 1  # one empty column at the end keeps the runs of two rows apart
    padded = np.zeros(height * stride + 1, dtype=bool)
    padded[1:].reshape(height, stride)[:, :width] = mask
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    start, end = edges[0::2], edges[1::2]  # a run is [start, end)
    # Touching runs of the row above, corners included: they end at or after the run's first
    # column and start at or before the column that follows its last one.
    first = np.searchsorted(end, start - stride, side="left")
    touching = np.searchsorted(start, end - stride, side="right") - first
    lower = np.repeat(np.arange(start.size), touching)
    offset = np.arange(lower.size) - np.repeat(np.cumsum(touching) - touching, touching)
    return _join(start.size, lower, first[lower] + offset), end - start


def _join(count: int, left: Indices, right: Indices) -> Indices:
    """The smallest member of each element's component, given pairs that belong together."""
    parent = np.arange(count)
    while True:
        a, b = parent[left], parent[right]
        apart = a != b
        if not apart.any():
            return parent
        left, right, a, b = left[apart], right[apart], a[apart], b[apart]
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while True:  # every element points at its root again
            grandparent = parent[parent]
            if np.array_equal(grandparent, parent):
                break
            parent = grandparent
