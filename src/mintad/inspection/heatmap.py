"""Anomaly maps as colours, and masks as outlines, on the image they belong to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Box = tuple[float, float, float, float]
"""Top, left, height and width, in pixels of the anomaly map."""

ANCHORS: tuple[tuple[int, int, int], ...] = (
    (42, 22, 104),
    (92, 28, 138),
    (142, 34, 138),
    (188, 46, 114),
    (222, 72, 80),
    (242, 110, 46),
    (250, 154, 32),
    (253, 198, 52),
    (254, 240, 116),
)
"""Red, green and blue from lowest to highest, in equal steps; the lightness rises all the way."""

HEATMAP_RANGE = (-1.0, 4.0)
"""The scores at which the colours begin and end; 0 is a usual good image's maximum."""

_STEPS = 256
_STRIP = 1 << 20
"""How many pixels are drawn at a time."""

_HIGHEST_OPACITY = 0.82
_OPACITY_POWER = 1.3
_LINE = np.array((0, 229, 195), dtype=np.uint8)
_HALO = np.array((10, 22, 28), dtype=np.uint8)


def _colour_table() -> NDArray[np.uint8]:
    anchors = np.asarray(ANCHORS, dtype=np.float64)
    places = np.linspace(0, len(anchors) - 1, _STEPS)
    channels = [np.interp(places, np.arange(len(anchors)), channel) for channel in anchors.T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)  # (256, 3)


COLOURS = _colour_table()


def _strength(anomaly_map: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
    """0 at `low` and below, 1 at `high` and above; what is not a number counts as `high`."""
    span = max(high - low, float(np.finfo(np.float32).tiny))
    with np.errstate(over="ignore"):
        scaled = (np.asarray(anomaly_map, dtype=np.float64) - low) / span
    strength: NDArray[np.float32] = np.clip(scaled, 0, 1).astype(np.float32)
    strength[np.isnan(strength)] = 1
    return strength


def colourise(anomaly_map: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    """Colours of a map `(h, w)` as `uint8 (h, w, 3)`.

    Scores up to `low` take the darkest colour, scores from `high` on the lightest. Where
    `low` equals `high`, only scores above it are light.
    """
    steps = np.rint(_strength(anomaly_map, low, high) * (_STEPS - 1)).astype(np.intp)
    return COLOURS[steps]  # (h, w, 3)


def fit_map(
    anomaly_map: NDArray[np.floating], height: int, width: int, box: Box | None = None
) -> NDArray[np.float32]:
    """The map, or the part of it inside `box`, bilinearly resized to `(height, width)`."""
    source = Image.fromarray(np.ascontiguousarray(anomaly_map, dtype=np.float32))
    top, left, box_height, box_width = box or (0, 0, *anomaly_map.shape)
    corners = (left, top, left + box_width, top + box_height)
    resized = source.resize((width, height), Image.Resampling.BILINEAR, box=corners)
    return np.asarray(resized, dtype=np.float32)


def overlay(
    image: NDArray[np.uint8],
    anomaly_map: NDArray[np.floating],
    low: float,
    high: float,
    *,
    box: Box | None = None,
) -> NDArray[np.uint8]:
    """The map `(h, w)` laid over an image `(H, W, 3)`, at the image's own size.

    `box` is where the image lies inside the map when it was padded; without it the map covers
    the whole image. The opacity grows with the score: up to `low` the image stays untouched.
    A large image is drawn in strips, so that little more memory is taken than it has itself.
    """
    height, width = image.shape[:2]
    top, left, box_height, box_width = box or (0, 0, *anomaly_map.shape)
    drawn = np.empty_like(image)
    rows = max(1, _STRIP // width)
    for start in range(0, height, rows):
        strip = image[start : start + rows]
        part = (top + box_height * start / height, left, box_height * len(strip) / height)
        fitted = fit_map(anomaly_map, len(strip), width, (*part, box_width))
        strength = _strength(fitted, low, high)[..., None]  # (rows, W, 1)
        opacity = _HIGHEST_OPACITY * strength**_OPACITY_POWER
        blended = strip * (1 - opacity) + colourise(fitted, low, high) * opacity
        drawn[start : start + rows] = np.rint(blended)
    return drawn


def _widen(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    widened = Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(2 * by + 1))
    return np.asarray(widened) > 0


def outline(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A copy of `image (H, W, 3)` with the contour of `mask (H, W)` around its regions.

    The line runs just outside the regions, so that a small defect stays visible, and inside
    them where they touch the image's border. Raises ValueError if the sizes differ.
    """
    if mask.shape != image.shape[:2]:
        raise ValueError(f"a mask of {mask.shape} does not fit an image of {image.shape[:2]}")
    thickness = max(1, round(max(mask.shape) / 160))
    line = _widen(mask, thickness) & ~mask
    border = np.ones_like(mask)
    border[thickness:-thickness, thickness:-thickness] = False
    line |= mask & border
    halo = _widen(line, 1) & ~line & ~mask
    drawn = image.copy()
    drawn[halo] = _HALO
    drawn[line] = _LINE
    return drawn
