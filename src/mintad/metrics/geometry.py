"""Maps and masks at the size of a protocol, smoothed, and turned into scores; numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mintad.data.regions import shrunk_mask
from mintad.metrics.profiles import Profile

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

POOL = 16
TOP = 0.01
REACH = 4.0
"""Sigmas after which a Gaussian is cut off."""


def profile_map(anomaly_map: Map, profile: Profile) -> Map:
    """A map `(h, w)` of the whole picture as the protocol measures it."""
    if profile.enlarged is not None:
        anomaly_map = resize_map(anomaly_map, (profile.enlarged, profile.enlarged))
    if profile.crop is not None:
        anomaly_map = _centre(anomaly_map, profile.crop)
    if profile.size is not None:
        anomaly_map = resize_map(anomaly_map, (profile.size, profile.size))
    return smooth(anomaly_map, profile)


def profile_mask(mask: Mask, profile: Profile, size: tuple[int, ...]) -> Mask:
    """The mask `(H, W)` of an image as the protocol measures it; `size` is that of the map.

    Raises `ValueError` for what is no mask.
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise ValueError(f"A mask must be bool (H, W), not {mask.dtype} {mask.shape}.")
    first = profile.enlarged or profile.size
    height, width = size if first is None else (first, first)
    if profile.mask_filter == "nearest":
        grey: Map = _nearest(mask, (height, width)).astype(np.float32)
    elif profile.mask_filter == "regions":
        grey = shrunk_mask(mask, (height, width)).astype(np.float32)
    else:
        image = Image.fromarray(mask.astype(np.uint8) * 255)
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
        grey = np.asarray(resized, np.float32) / np.float32(255)
    if profile.crop is not None:
        grey = _centre(grey, profile.crop)
    if profile.enlarged is not None and profile.size is not None:
        grey = _nearest(grey, (profile.size, profile.size))
    return grey > profile.mask_threshold


def resize_map(anomaly_map: Map, size: tuple[int, int]) -> Map:
    """The map at `size` (height, width): linear between the centres of pixels, no antialiasing."""
    for axis, target in enumerate(size):
        source = anomaly_map.shape[axis]
        if source == target:
            continue
        place = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
        lower = np.minimum(place.astype(np.int64), max(source - 2, 0))
        share = (place - lower).astype(np.float32)
        share = share[:, None] if axis == 0 else share
        upper = np.minimum(lower + 1, source - 1)
        first, second = (np.take(anomaly_map, rows, axis) for rows in (lower, upper))
        anomaly_map = first + share * (second - first)
    return anomaly_map


def smooth(anomaly_map: Map, profile: Profile) -> Map:
    """The map `(h, w)` smoothed by the protocol's Gaussian."""
    sigma, window = profile.smoothing_sigma, profile.smoothing_window
    if not sigma:
        return anomaly_map
    reach = int(REACH * sigma + 0.5) if window is None else window // 2
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (0, 1):
        pads = [(0, 0), (0, 0)]
        pads[axis] = (reach, reach)
        if profile.smoothing_edge == "zero":
            padded = np.pad(anomaly_map, pads)
        else:
            padded = np.pad(anomaly_map, pads, mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis)
        anomaly_map = windows @ kernel
    return anomaly_map


def score_map(anomaly_map: Map, kind: str) -> float:
    """The image score that a protocol reads from a map `(h, w)`: any but "model"."""
    if kind == "pooled-max":
        return float(_pooled(anomaly_map, POOL).max())
    if kind == "top-1%":
        count = max(1, int(anomaly_map.size * TOP))
        return float(np.partition(anomaly_map, -count, axis=None)[-count:].mean())
    return float(anomaly_map.max())


def _pooled(anomaly_map: Map, side: int) -> NDArray[np.float64]:
    height, width = (min(side, length) for length in anomaly_map.shape)
    sums = np.pad(anomaly_map.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    lower = sums[height:, width:] - sums[:-height, width:]
    pooled: NDArray[np.float64] = lower - sums[height:, :-width] + sums[:-height, :-width]
    return pooled / (height * width)


def _centre(array: NDArray[Any], side: int) -> NDArray[Any]:
    top, left = ((length - side) // 2 for length in array.shape)
    return array[top : top + side, left : left + side]


def _nearest(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    rows, columns = (
        (2 * np.arange(target) + 1) * source // (2 * target)
        for source, target in zip(array.shape, size, strict=True)
    )
    return array[rows[:, None], columns]
