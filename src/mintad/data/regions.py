"""The connected regions of a mask: 8-connected, numpy only.

A mask is cut into horizontal runs; runs that touch across two rows are joined, all at once, until
nothing changes. The work grows with the number of runs, not of pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]


def shrunk_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask `(H, W)` at `size` (height, width), nearest neighbour, no region of it lost.

    Where nearest neighbour takes less than half of the cells that a region lies in, as it does
    of a spot or a scratch that is finer than a cell, all of them are taken.
    """
    (height, width), (source_height, source_width) = size, mask.shape
    picked = mask[_nearest(source_height, height)[:, None], _nearest(source_width, width)]
    if height >= source_height and width >= source_width:
        return picked
    rows, columns = np.nonzero(mask)
    row = (2 * rows + 1) * height // (2 * source_height)
    column = (2 * columns + 1) * width // (2 * source_width)
    cells = row * width + column  # of each marked pixel, the cell that holds its centre
    lost = ~picked.reshape(-1)[cells]
    if not lost.any():
        return picked
    region, length = regions_of_runs(mask)
    of_pixel = np.repeat(region, length)
    torn = np.zeros(int(region.max()) + 1, np.bool_)
    torn[of_pixel[lost]] = True
    some = torn[of_pixel]
    pairs = np.unique(of_pixel[some] * (height * width) + cells[some])
    owners, taken = pairs // (height * width), pairs % (height * width)
    all_cells = np.bincount(owners, minlength=len(torn))
    kept = np.bincount(owners, weights=picked.reshape(-1)[taken], minlength=len(torn))
    picked.reshape(-1)[taken[(2 * kept < all_cells)[owners]]] = True
    return picked


def _nearest(source: int, target: int) -> Indices:
    """For each of `target` cells, the source cell that holds its centre."""
    return (2 * np.arange(target, dtype=np.int64) + 1) * source // (2 * target)


def regions_of_runs(mask: Mask) -> tuple[Indices, Indices]:
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
