"""Figures of square panels as SVG strings: pixels, dots and lines in the unit square."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mintad.inspection import colourise
from mintad.reporting import INK, LINE, MUTED, drawing, label

SIDE = 220
"""The side of a panel in units of the figure."""

CLASS_COLOURS = (
    "#2c6fb3",
    "#c4501b",
    "#2e8b57",
    "#8e44ad",
    "#b8860b",
    "#0e8f97",
    "#b03060",
    "#5c6975",
)
"""One colour per product or class, again from the first where there are more."""

_GAP, _HEAD, _FOOT, _EDGE = 16, 40, 34, 12
_KEY_HEIGHT = 20


@dataclass(frozen=True, slots=True)
class Panel:
    """A square picture: a title, a line of note under it, and SVG in the unit square."""

    title: str
    note: str
    body: str


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the legend: a colour and what it stands for, or a remark without a colour."""

    colour: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The colour bar: what the colours of `pixels` measure, from `low` to `high`."""

    meaning: str
    low: str
    high: str


def figure(
    rows: Sequence[Sequence[Panel]],
    *,
    title: str,
    description: str,
    keys: Sequence[Key] = (),
    bar: Bar | None = None,
    identifier: str = "figure",
) -> str:
    """Rows of panels on white, with the legend and the colour bar beneath them."""
    columns = max(len(row) for row in rows)
    width = max(2 * _EDGE + columns * SIDE + (columns - 1) * _GAP, 2 * SIDE + 2 * _EDGE)
    bottom = _EDGE + len(rows) * (_HEAD + SIDE + _GAP)
    body = []
    for down, row in enumerate(rows):
        for right, panel in enumerate(row):
            x = _EDGE + right * (SIDE + _GAP)
            y = _EDGE + down * (_HEAD + SIDE + _GAP)
            body.append(_panel(panel, x, y))
    if bar is not None:
        body.append(_bar(bar, bottom))
        bottom += _FOOT
    for key in keys:
        bottom += _KEY_HEIGHT
        left = _EDGE
        if key.colour:
            left += 18
            body.append(
                f'<rect x="{_EDGE}" y="{bottom - 14}" width="11" height="11" rx="2" '
                f'fill="{key.colour}" stroke="#5c6975" stroke-width="0.5"/>'
            )
        body.append(label(left, bottom - 4, key.meaning, "start", INK))
    height = bottom + _EDGE
    ground = f'<rect width="{width}" height="{height}" fill="var(--paper, #fff)"/>'
    svg = drawing(width, height, identifier, title, description, [ground, *body])
    opened = f'<svg width="{width}" height="{height}" '
    return svg.replace("<svg ", opened, 1).replace('"inherit"', '"sans-serif"', 1)


def _panel(panel: Panel, x: int, y: int) -> str:
    return (
        label(x, y + 14, panel.title, "start", INK, ' font-size="14" font-weight="600"')
        + label(x, y + 31, panel.note, "start", MUTED)
        + f'<svg x="{x}" y="{y + _HEAD}" width="{SIDE}" height="{SIDE}" viewBox="0 0 1 1">'
        + panel.body
        + "</svg>"
        + f'<rect x="{x}" y="{y + _HEAD}" width="{SIDE}" height="{SIDE}" fill="none" '
        f'stroke="{LINE}"/>'
    )


def _bar(bar: Bar, top: int) -> str:
    ramp = colourise(np.linspace(0, 1, 64)[None], 0, 1)
    return (
        label(_EDGE, top + 14, bar.low, "start", INK)
        + f'<svg x="{_EDGE + 34}" y="{top + 3}" width="{SIDE - 68}" height="14" '
        f'viewBox="0 0 1 1" preserveAspectRatio="none">{pixels(ramp)}</svg>'
        + label(_EDGE + SIDE - 28, top + 14, bar.high, "start", INK)
        + label(_EDGE + SIDE + 10, top + 14, bar.meaning, "start", INK)
    )


def pixels(colours: NDArray[np.uint8], smooth: bool = True, steps: int = 32) -> str:
    """An image `uint8 (h, w, 3)` that fills the unit square, in at most `steps` colours."""
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(colours))
    image.quantize(steps, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    rendering = "" if smooth else ' style="image-rendering:pixelated"'
    return (
        f'<image width="1" height="1" preserveAspectRatio="none"{rendering} '
        f'href="data:image/png;base64,{data}"/>'
    )


def dots(
    points: NDArray[np.floating], colour: str, radius: float = 0.008, opacity: float = 1.0
) -> str:
    """Filled discs at `points` `(N, 2)`, x to the right and y downwards."""
    path = "".join(f"M{x} {y}h0" for x, y in _thousandths(points))
    if not path:
        return ""
    return (
        f'<path transform="scale(.001)" d="{path}" stroke="{colour}" fill="none" '
        f'stroke-opacity="{opacity:g}" stroke-linecap="round" stroke-width="{2000 * radius:g}"/>'
    )


def strokes(segments: NDArray[np.floating], colour: str, width: float = 0.008) -> str:
    """Straight lines `(N, 2, 2)`: for each its two ends, x to the right and y downwards."""
    ends = _thousandths(segments)
    path = "".join(f"M{x1} {y1}l{x2 - x1} {y2 - y1}" for (x1, y1), (x2, y2) in ends)
    if not path:
        return ""
    return (
        f'<path transform="scale(.001)" d="{path}" fill="none" stroke="{colour}" '
        f'stroke-linecap="round" stroke-width="{1000 * width:g}"/>'
    )


def _thousandths(places: NDArray[np.floating]) -> list[Any]:
    whole: list[Any] = np.rint(1000 * places).astype(int).tolist()
    return whole


def words(lines: Iterable[tuple[float, float, str, str]], size: float = 0.05) -> str:
    """Centred text at places of the unit square: x, y, colour, text."""
    body = "".join(label(1000 * x, 1000 * y, text, "middle", ink) for x, y, ink, text in lines)
    return f'<g transform="scale(.001)" font-size="{1000 * size:g}">{body}</g>'


def level_line(field: NDArray[np.floating], level: float) -> NDArray[np.float64]:
    """Segments `(N, 2, 2)` where a field `(h, w)` crosses `level`, in the unit square.

    Values stand in the middles of their cells. Within a square of four neighbours the field is
    taken as linear along each side (marching squares).
    """
    height, width = field.shape
    value = field.astype(np.float64) - level
    corners = np.stack([value[:-1, :-1], value[:-1, 1:], value[1:, 1:], value[1:, :-1]])
    above = corners > 0  # (4, h - 1, w - 1), clockwise from the upper left
    crossed = above != np.roll(above, -1, axis=0)
    places = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)  # x, y of the corners
    segments = []
    for down, right in zip(*np.nonzero(crossed.any(axis=0)), strict=True):
        ends = []
        for side in np.flatnonzero(crossed[:, down, right]):
            after = (side + 1) % 4
            first, second = corners[side, down, right], corners[after, down, right]
            share = first / (first - second)
            ends.append(places[side] + share * (places[after] - places[side]) + (right, down))
        segments += [ends[i : i + 2] for i in range(0, len(ends), 2)]
    if not segments:
        return np.empty((0, 2, 2))
    return (np.array(segments) + 0.5) / (width, height)
