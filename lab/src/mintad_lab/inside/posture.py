"""How a product lies in its image: the long axis of its foreground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 128
_ELONGATED = 0.5
"""From this elongation on an axis is taken for a posture."""


def long_axis(image: NDArray[np.uint8]) -> float | None:
    """The angle of what stands out from the border of an image `(H, W, 3)` to the horizontal.

    In radians, [-pi/2, pi/2]. A pixel's difference is the distance of its colour from the median
    colour of the border; Otsu's threshold parts foreground from background. None where nothing
    stands out, or nothing elongated: the elongation is 1 - (variance across the axis) / (variance
    along it), 0 for a disc or a square, near 1 for a needle.
    """
    scale = _SIDE / max(image.shape[:2])
    size = tuple(max(1, round(scale * side)) for side in image.shape[1::-1])
    pixels = np.asarray(Image.fromarray(image).resize((size[0], size[1])), np.float64)
    edge = max(1, _SIDE // 32)
    border = np.ones(pixels.shape[:2], np.bool_)
    border[edge:-edge, edge:-edge] = False
    difference = np.linalg.norm(pixels - np.median(pixels[border], axis=0), axis=2)
    if np.ptp(difference) < 1:
        return None
    y, x = np.nonzero(difference > otsu(difference))
    if len(x) < 3:
        return None
    spread = np.cov(np.stack([x, -y]))  # upwards is positive
    mean, half = (spread[0, 0] + spread[1, 1]) / 2, (spread[0, 0] - spread[1, 1]) / 2
    length = float(np.hypot(half, spread[0, 1]))
    along, across = float(mean) + length, float(mean) - length
    if along <= 0 or 1 - across / along < _ELONGATED:
        return None
    return 0.5 * float(np.arctan2(spread[0, 1], half))


def otsu(values: NDArray[np.floating], bins: int = 128) -> float:
    """The threshold that parts values into two groups of the largest variance between them."""
    counts, edges = np.histogram(values, bins)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * middles)
    gap = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * gap**2)])
