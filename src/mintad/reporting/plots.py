"""Small plots of image scores as SVG strings."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mintad.metrics import image_metrics, rank, roc_curve
from mintad.reporting.svg import DEFECT, GOOD, INK, LINE, MUTED, drawing, label, nice_ticks, segment

_MOST_BINS, _FEWEST_BINS = 40, 12


def bin_edges(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Edges of equal bins over all scores `(N,)`: 12 to 40 bins.

    The width is Freedman and Diaconis' for the good images, which lie closest together, or for
    all of them where none is good.
    """
    if not len(scores):
        return np.linspace(0.0, 1.0, _FEWEST_BINS + 1)
    low, high = float(scores.min()), float(scores.max())
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        margin = max(abs(low) * 0.05, 1e-6)
        low, high = low - margin, high + margin
    basis = scores[labels == 0] if (labels == 0).any() else scores
    lower, upper = np.percentile(basis, (25, 75))
    width = 2 * float(upper - lower) / len(basis) ** (1 / 3)
    bins = _MOST_BINS if width <= 0 else math.ceil(min((high - low) / width, _MOST_BINS))
    return np.linspace(low, high, min(max(bins, _FEWEST_BINS), _MOST_BINS) + 1)


def score_histogram(
    product: str,
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    identifier: str = "histogram",
) -> str:
    """Image scores `(N,)` of good images above the axis, of defective ones (label 1) below it.

    A bar's height is the share of its kind, on one scale for both. `identifier` is unique in
    the page.
    """
    width, height, left, right, top, bottom = 340, 220, 6, 6, 30, 36
    good, defective = scores[labels == 0], scores[labels == 1]
    edges = bin_edges(scores, labels)
    shares = [np.histogram(kind, edges)[0] / max(len(kind), 1) for kind in (good, defective)]
    scale = (height - top - bottom) / max(shares[0].max() + shares[1].max(), 1e-9)
    axis = top + shares[0].max() * scale if len(scores) else (top + height - bottom) / 2

    def place(score: float) -> float:
        return float(left + (score - edges[0]) / (edges[-1] - edges[0]) * (width - left - right))

    body = []
    ticks = nice_ticks(float(edges[0]), float(edges[-1]))
    for tick in ticks:
        body.append(segment(place(tick), top, place(tick), height - bottom + 4, LINE))
        body.append(label(place(tick), height - bottom + 17, f"{tick:.6g}"))
    bar = place(float(edges[1])) - place(float(edges[0]))
    gap = min(1.0, bar * 0.15)
    for kind, colour, direction in ((shares[0], GOOD, -1), (shares[1], DEFECT, 1)):
        for edge, share in zip(edges, kind, strict=False):
            if share > 0:
                tall = max(share * scale, 1.0)
                above = axis - tall if direction < 0 else axis
                body.append(
                    f'<rect x="{place(float(edge)) + gap / 2:.1f}" y="{above:.1f}" '
                    f'width="{bar - gap:.1f}" height="{tall:.1f}" fill="{colour}"/>'
                )
    body.append(segment(left, axis, width - right, axis, INK))
    body.append(_legend(left, 12, GOOD, f"Good {len(good):,}", "start"))
    body.append(_legend(width - right, 12, DEFECT, f"Defective {len(defective):,}", "end"))
    body.append(label(width / 2, height - 4, "image score"))
    description = (
        f"{_spread('good', good)} {_spread('defective', defective)} "
        "Good images are drawn above the axis, defective ones below."
    )
    return drawing(width, height, identifier, f"Image scores of {product}", description, body)


def _legend(x: float, y: float, colour: str, content: str, anchor: str) -> str:
    square = x if anchor == "start" else x - 9
    words = x + 14 if anchor == "start" else x - 14
    return (
        f'<rect x="{square:.1f}" y="{y - 9:.1f}" width="9" height="9" rx="2" fill="{colour}"/>'
        + label(words, y, content, anchor, INK)
    )


def _spread(kind: str, scores: NDArray[np.floating]) -> str:
    if not len(scores):
        return f"No {kind} images."
    return (
        f"{len(scores)} {kind} images, scores from {scores.min():.4g} to {scores.max():.4g}, "
        f"median {np.median(scores):.4g}."
    )


def _corners(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The points at which a path changes its direction, and its two ends."""
    before = np.diff(x)[:-1] * np.diff(y)[1:]
    after = np.diff(x)[1:] * np.diff(y)[:-1]
    return np.concatenate(([True], ~np.isclose(before, after, rtol=1e-6, atol=0), [True]))


def roc_plot(
    product: str,
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    identifier: str = "roc",
) -> str:
    """The ROC curve of image scores `(N,)` with its area; a note in its place if undefined."""
    side, left, top = 164, 46, 10
    width, height = left + side + 10, 220
    title = f"ROC curve of {product}"

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * side, top + (1 - y) * side

    body = []
    for tick in (0.0, 0.5, 1.0):
        (x, floor), (wall, y) = at(tick, 0), at(0, tick)
        body.append(segment(x, top, x, floor + 4, LINE) + label(x, floor + 17, f"{tick:g}"))
        body.append(segment(wall - 4, y, left + side, y, LINE))
        body.append(label(wall - 7, y + 4, f"{tick:g}", "end"))
    body.append(label(left + side / 2, height - 4, "false alarm rate"))
    turn = f' transform="rotate(-90 12 {top + side / 2:.1f})"'
    body.append(label(12, top + side / 2, "defects found", more=turn))
    good, defective = int((labels == 0).sum()), int((labels == 1).sum())
    if not (good and defective):
        reason = "no defective images" if good else "no good images"
        body.append(label(*at(0.5, 0.5), reason, more=' font-style="italic"'))
        return drawing(width, height, identifier, title, f"Undefined: {reason}.", body)

    false, true = roc_curve(rank(scores, labels))
    area = image_metrics(scores, labels)["i_auroc"]
    keep = _corners(false, true)
    corners = zip(false[keep].tolist(), true[keep].tolist(), strict=True)
    path = " L".join("{:.1f} {:.1f}".format(*at(x, y)) for x, y in corners)
    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    body.append(segment(x0, y0, x1, y1, MUTED, ' stroke-dasharray="2 4"'))
    body.append(f'<path d="M{path} L{x1:.1f} {y0:.1f} Z" fill="{GOOD}" fill-opacity="0.12"/>')
    body.append(
        f'<path d="M{path}" fill="none" stroke="{GOOD}" stroke-width="2" stroke-linejoin="round"/>'
    )
    more = ' font-size="18" font-weight="600"'
    body.append(label(left + side - 10, top + side - 26, f"{area:.3f}", "end", INK, more))
    body.append(label(left + side - 10, top + side - 11, "AUROC", "end"))
    description = f"The area under the curve is {area:.3f}; {good} good, {defective} defective."
    return drawing(width, height, identifier, title, description, body)
