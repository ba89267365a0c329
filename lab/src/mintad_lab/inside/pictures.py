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
from mintad_lab.inside.gather import Gathered, Pair, ProductInside, Rows
from mintad_lab.inside.numbers import ProductNumbers, accuracy, joined
from mintad_lab.inside.structure import evenly, principal_plane
from mintad_lab.markdown import number

_PER_ROW = 3
_MOST_DOTS = 600
_MOST_ARROWS = 60
_STEPS = 16
"""Colours of a map of all pairs of positions, whose noise does not compress."""
_GREY, _GOOD, _REBUILT, _DEFECT = "#c9d1d8", "#2c6fb3", "#2e8b57", "#c4501b"


def feature_figure(gathered: Gathered, numbers: dict[str, ProductNumbers]) -> str | None:
    """Features before and after reconstruction, in the plane of the good images' variance."""
    good = {product.name: joined(product.good) for product in gathered.products}
    held = {name: pair.features for name, pair in good.items() if pair is not None}
    if not held:
        return None
    view = _View(np.concatenate([_fewer(rows, 2000) for rows in held.values()]))
    panels = []
    for product in gathered.products:
        others = [rows for name, rows in held.items() if name != product.name]
        body = [dots(view(_fewer(rows, 150)), _GREY, 0.006) for rows in others]
        body.append(_moves(good[product.name], view, _GOOD, 0.006))
        body.append(_moves(joined(product.defect), view, _DEFECT, 0.009))
        shares = numbers[product.name]
        note = f"rebuilt: good {number(shares.explained_good, 2)}"
        note += f", defects {number(shares.explained_defect, 2)}"
        panels.append(Panel(product.name, note, "".join(body)))
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
            Key("", f"all in one plane, which holds {view.share:.0%} of the variance"),
            Key("", "rebuilt: the share of the variance of all channels that is rebuilt"),
        ],
        identifier="inside-features",
    )


def query_figure(gathered: Gathered, numbers: dict[str, ProductNumbers]) -> str | None:
    """The queries' self-attention, their cosines, and the cosines with the middle position."""
    rows = []
    for product in gathered.products:
        if not product.cosine:
            continue
        attention, cosine = np.mean(product.attention, axis=0), np.mean(product.cosine, axis=0)
        queries = numbers[product.name].queries
        middle = (gathered.grid[0] // 2) * gathered.grid[1] + gathered.grid[1] // 2
        top = max(float(np.quantile(attention, 0.999)), 1e-9)
        own, attended = number(queries.own_attention, 2), number(queries.attended, 1)
        near, far = number(queries.near_cosine, 2), number(queries.far_cosine, 2)
        over_grid = colourise(cosine[middle].reshape(gathered.grid), -1.0, 1.0)
        rows.append(
            [
                Panel(
                    f"{product.name}: attention",
                    f"itself {own}, attends to {attended} of {len(cosine)}",
                    pixels(colourise(attention, 0.0, top), False, _STEPS),
                ),
                Panel(
                    "cosine of queries",
                    f"side by side {near}, others {far}",
                    pixels(colourise(cosine, -1.0, 1.0), False, _STEPS),
                ),
                Panel(
                    "cosine with the middle",
                    "the query in the middle, over the grid",
                    pixels(over_grid, smooth=False),
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
    held = [product for product in gathered.products if len(product.tokens) > 2]
    if not held:
        return None
    clouds = [np.stack([token.vector for token in product.tokens]) for product in held]
    view = _View(np.concatenate(clouds))
    body, own, keys = "", [], []
    for place, (product, cloud) in enumerate(zip(held, clouds, strict=True)):
        colour = CLASS_COLOURS[place % len(CLASS_COLOURS)]
        body += dots(view(cloud), colour, 0.009, 0.8)
        own.append(_token_panel(product, cloud, numbers[product.name]))
        keys.append(Key(colour, product.name))
    panels = [Panel("all products", f"{view.share:.0%} of the variance", body), *own]
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
    note = f"{accuracy(counts):.1%} right, of {counts.sum()}"
    keys = [Key("", f"{place}  {name}") for place, name in enumerate(gathered.names, start=1)]
    return figure(
        [[Panel("recognised by true product", note, body)]],
        title="Recognised against true product",
        description="A row per true product, a column per recognised one; the numbers are images.",
        keys=[Key("", "rows: true product, columns: recognised, in this order:"), *keys],
        bar=Bar("share of the true product's images", "0", "1"),
        identifier="inside-products",
    )


class _View:
    """The plane of a cloud's variance in the unit square, with a margin, both axes on one scale.

    `share` is the share of the variance in the plane.
    """

    def __init__(self, cloud: NDArray[np.floating]) -> None:
        self._plane = principal_plane(cloud)
        self.share = self._plane.share
        low, high = np.percentile(self._plane(cloud), (0.5, 99.5), axis=0)
        self._middle = (low + high) / 2
        self._span = 1.3 * max(float((high - low).max()), 1e-9)

    def __call__(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Places `(N, 2)` of vectors `(N, C)`."""
        places = (self._plane(vectors) - self._middle) / self._span
        flipped: NDArray[np.float64] = 0.5 + places * (1, -1)
        return flipped


def _moves(pair: Pair | None, view: _View, colour: str, radius: float) -> str:
    """Dots before and after reconstruction, and lines between some of them."""
    if pair is None:
        return ""
    starts, ends = (view(_fewer(rows, _MOST_DOTS)) for rows in pair)
    lines = np.stack([_fewer(starts, _MOST_ARROWS), _fewer(ends, _MOST_ARROWS)], axis=1)
    return (
        strokes(lines, colour, 0.0025)
        + dots(starts, colour, radius, 0.6)
        + dots(ends, _REBUILT, 0.006, 0.6)
    )


def _token_panel(product: ProductInside, cloud: Rows, numbers: ProductNumbers) -> Panel:
    """A product's tokens in their own plane, coloured by posture or by cluster."""
    places = _View(cloud)(cloud)
    reading, groups = numbers.posture, numbers.subclasses
    if reading is not None:
        body = [
            dots(places[row : row + 1], _hue(token.angle), 0.011, 0.9)
            for row, token in enumerate(product.tokens)
            if token.angle is not None
        ]
        note = f"posture: R² {reading.linear:.2f} linear, {reading.neighbours:.2f} neighbours"
    elif groups is not None:
        body = [
            dots(places[groups.labels == cluster], CLASS_COLOURS[cluster], 0.011, 0.8)
            for cluster in range(groups.count)
        ]
        note = f"{groups.count} clusters: silhouette {groups.silhouette:.2f}"
        note += f" ({groups.reference:.2f})"
    else:
        body, note = [dots(places, _GOOD, 0.011, 0.8)], "too few images for clusters"
    return Panel(product.name, note, "".join(body))


def _hue(angle: float) -> str:
    """A colour for an axis: half a turn of the axis is once around the colours."""
    red, green, blue = colorsys.hls_to_rgb((angle / np.pi) % 1, 0.45, 0.8)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _fewer(rows: NDArray[np.floating], most: int) -> NDArray[np.floating]:
    return rows[evenly(len(rows), most)]


def _rows(panels: list[Panel]) -> list[list[Panel]]:
    return [panels[start : start + _PER_ROW] for start in range(0, len(panels), _PER_ROW)]
