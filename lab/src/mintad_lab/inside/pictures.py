"""The pictures of a look inside."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from mintad.inspection import colourise
from mintad_lab.drawing.canvas import (
    CLASS_COLOURS,
    Bar,
    Key,
    Panel,
    dots,
    figure,
    pixels,
    strokes,
    words,
)
from mintad_lab.inside.gather import Gathered, ProductInside
from mintad_lab.inside.numbers import ProductNumbers, stacked
from mintad_lab.inside.posture import ELONGATED
from mintad_lab.inside.structure import Projection, principal_plane

_PER_ROW = 3
_MOST_DOTS = 600
_MOST_ARROWS = 60
_STEPS = 16
"""Colours of a map of all pairs of positions, whose noise does not compress."""
_GREY, _GOOD, _REBUILT, _DEFECT = "#c9d1d8", "#2c6fb3", "#2e8b57", "#c4501b"


def feature_figure(gathered: Gathered, numbers: dict[str, ProductNumbers]) -> str | None:
    """Features before and after reconstruction, in the plane of the good images' variance."""
    goods = {inside.name: stacked(inside.good) for inside in gathered.inside}
    some = [_fewer(good, 2000) for good in goods.values() if good is not None]
    if not some:
        return None
    plane = principal_plane(np.concatenate(some))
    frame = _Frame(plane(np.concatenate(some)))
    panels = []
    for inside in gathered.inside:
        others = [good for name, good in goods.items() if name != inside.name and good is not None]
        body = [dots(frame(plane(_fewer(good, 150))), _GREY, 0.006) for good in others]
        body.append(_pair(inside.good, inside.good_rebuilt, frame, plane, _GOOD, 0.006))
        body.append(_pair(inside.defect, inside.defect_rebuilt, frame, plane, _DEFECT, 0.009))
        found = numbers[inside.name]
        note = f"rebuilt: good {_number(found.explained_good)}"
        note += f", defects {_number(found.explained_defect)}"
        panels.append(Panel(inside.name, note, "".join(body)))
    return figure(
        _rows(panels),
        title="Features before and after reconstruction",
        description="One panel per product, all in the same plane; lines lead from a feature to "
        "its reconstruction.",
        keys=[
            Key(_GREY, "features of the other products"),
            Key(_GOOD, "features of good images"),
            Key(_DEFECT, "features inside defects"),
            Key(_REBUILT, "what they are rebuilt as, with a line from some of them"),
            Key("", f"all in one plane, which holds {plane.share:.0%} of the variance"),
            Key("", "rebuilt: the share of the variance of all channels that is rebuilt"),
        ],
        identifier="inside-features",
    )


def query_figure(gathered: Gathered, numbers: dict[str, ProductNumbers]) -> str | None:
    """The queries' self-attention, their cosines, and the cosines with the middle position."""
    rows = []
    for inside in gathered.inside:
        if not inside.cosine:
            continue
        attention, cosine = np.mean(inside.attention, axis=0), np.mean(inside.cosine, axis=0)
        found = numbers[inside.name]
        middle = (gathered.grid[0] // 2) * gathered.grid[1] + gathered.grid[1] // 2
        top = float(np.quantile(attention, 0.999))
        rows.append(
            [
                Panel(
                    f"{inside.name}: attention",
                    f"itself {_number(found.own_attention)}, attends to "
                    f"{found.attended:.1f} of {len(cosine)}",
                    pixels(colourise(attention, 0.0, max(top, 1e-9)), False, _STEPS),
                ),
                Panel(
                    "cosine of queries",
                    f"side by side {_number(found.near_cosine)}, others "
                    f"{_number(found.far_cosine)}",
                    pixels(colourise(cosine, -1.0, 1.0), False, _STEPS),
                ),
                Panel(
                    "cosine with the middle",
                    "the query in the middle, over the grid",
                    pixels(
                        colourise(cosine[middle].reshape(gathered.grid), -1.0, 1.0), smooth=False
                    ),
                ),
            ]
        )
    if not rows:
        return None
    return figure(
        rows,
        title=f"Self-attention of the queries of the {gathered.anatomy.queries}",
        description="Rows and columns of the first two panels are positions, row by row over the "
        "grid; means over good images.",
        bar=Bar("attention: from 0 to its 99.9 % quantile; cosine: from -1 to 1", "low", "high"),
        identifier="inside-queries",
    )


def token_figure(gathered: Gathered, numbers: dict[str, ProductNumbers]) -> str | None:
    """The tokens of all products in one plane, then each product's own by posture or cluster."""
    held = [inside for inside in gathered.inside if len(inside.tokens) > 2]
    if not held:
        return None
    clouds = [np.stack(inside.tokens) for inside in held]
    plane = principal_plane(np.concatenate(clouds))
    frame = _Frame(plane(np.concatenate(clouds)))
    colours = [CLASS_COLOURS[i % len(CLASS_COLOURS)] for i in range(len(held))]
    body = [
        dots(frame(plane(cloud)), colour, 0.009, 0.8)
        for cloud, colour in zip(clouds, colours, strict=True)
    ]
    panels = [Panel("all products", f"{plane.share:.0%} of the variance", "".join(body))]
    for inside, cloud in zip(held, clouds, strict=True):
        panels.append(_token_panel(inside, cloud, numbers[inside.name]))
    keys = [Key(colour, inside.name) for inside, colour in zip(held, colours, strict=True)]
    keys.append(Key("", "with R²: one colour per angle of the long axis, around the colour wheel"))
    keys.append(Key("", "otherwise: one per cluster; in brackets the silhouette of no clusters"))
    return figure(
        _rows(panels),
        title=f"Tokens of good images: {gathered.anatomy.tokens}",
        description="The first panel shows all products, the others one each in its own plane.",
        keys=keys,
        identifier="inside-tokens",
    )


def confusion_figure(gathered: Gathered, counts: NDArray[np.int64]) -> str:
    """Recognised against true products: the share of each true product's images."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 1 / len(counts)
    lines = []
    for row, column in zip(*np.nonzero(counts), strict=True):
        ink = "#18222b" if shares[row, column] > 0.5 else "#ffffff"
        place = ((column + 0.5) * size, (row + 0.5) * size + 0.015)
        lines.append((*place, ink, str(counts[row, column])))
    body = pixels(colourise(shares, 0.0, 1.0), smooth=False) + words(lines, min(0.06, 0.5 * size))
    accuracy = float(np.trace(counts) / max(counts.sum(), 1))
    keys = [Key("", f"{n}  {name}") for n, name in enumerate(gathered.products, start=1)]
    return figure(
        [[Panel("recognised by true product", f"{accuracy:.1%} right, of {counts.sum()}", body)]],
        title="Recognised against true product",
        description="A row per true product, a column per recognised one; the numbers are images.",
        keys=[Key("", "rows: true product, columns: recognised, in this order:"), *keys],
        bar=Bar("share of the true product's images", "0", "1"),
        identifier="inside-products",
    )


class _Frame:
    """Brings a cloud of the plane into the unit square, with a margin, both axes on one scale."""

    def __init__(self, points: NDArray[np.float64]) -> None:
        low, high = np.percentile(points, (0.5, 99.5), axis=0)
        self.middle = (low + high) / 2
        self.span = 1.3 * max(float((high - low).max()), 1e-9)

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        placed: NDArray[np.float64] = 0.5 + (points - self.middle) / self.span * (1, -1)
        return placed


def _pair(
    before: list[NDArray[np.float32]],
    after: list[NDArray[np.float32]],
    frame: _Frame,
    plane: Projection,
    colour: str,
    radius: float,
) -> str:
    """Dots before and after reconstruction, and lines between some of them."""
    original, rebuilt = stacked(before), stacked(after)
    if original is None or rebuilt is None:
        return ""
    starts = frame(plane(_fewer(original, _MOST_DOTS)))
    ends = frame(plane(_fewer(rebuilt, _MOST_DOTS)))
    lines = np.stack([_fewer(starts, _MOST_ARROWS), _fewer(ends, _MOST_ARROWS)], axis=1)
    return (
        strokes(lines, colour, 0.0025)
        + dots(starts, colour, radius, 0.6)
        + dots(ends, _REBUILT, 0.006, 0.6)
    )


def _token_panel(inside: ProductInside, cloud: NDArray[np.float32], found: ProductNumbers) -> Panel:
    plane = principal_plane(cloud)
    places = _Frame(plane(cloud))(plane(cloud))
    if found.posture is not None:
        body = [
            dots(places[row : row + 1], _hue(posture.angle), 0.011, 0.9)
            for row, posture in enumerate(inside.postures)
            if posture is not None and posture.elongation >= ELONGATED
        ]
        note = f"posture: R² {found.posture.linear:.2f} linear, "
        note += f"{found.posture.neighbours:.2f} neighbours"
    elif found.subclasses is not None:
        labels = found.subclasses.labels
        body = [
            dots(places[labels == k], CLASS_COLOURS[k], 0.011, 0.8)
            for k in range(found.subclasses.count)
        ]
        note = f"{found.subclasses.count} clusters: silhouette "
        note += f"{found.subclasses.silhouette:.2f} ({found.subclasses.reference:.2f})"
    else:
        body, note = [dots(places, _GOOD, 0.011, 0.8)], "too few images for clusters"
    return Panel(inside.name, note, "".join(body))


def _hue(angle: float) -> str:
    """A colour for an axis: half a turn of the axis is once around the colours."""
    red, green, blue = colorsys.hls_to_rgb((angle / np.pi) % 1, 0.45, 0.8)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _fewer(rows: NDArray[np.floating], most: int) -> NDArray[np.floating]:
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.intp)
    return rows[places]


def _rows(panels: list[Panel]) -> list[list[Panel]]:
    return [panels[start : start + _PER_ROW] for start in range(0, len(panels), _PER_ROW)]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
