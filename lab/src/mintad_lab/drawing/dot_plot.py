"""A plot of marks over one axis, an SVG file of its own, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mintad.reporting import DEFECT, GOOD, INK, LINE, MUTED, drawing, label, nice_ticks, segment

COLOURS = """<style>
svg{font-family:system-ui,sans-serif}
@media(prefers-color-scheme:dark){svg{--ink:#e7ecf0;--muted:#9fabb6;--line:#3a444d;
--good:#6fabe6;--defect:#ee8a5c}}
</style>"""
LEFT, WIDTH, TALL, TOP = 230, 720, 34, 34


class Mark(NamedTuple):
    """A point of a line: its value, the half length of its bar, and its look."""

    value: float
    deviation: float
    kind: int


def dot_plot(
    lines: Sequence[tuple[str, Sequence[Mark]]],
    kinds: Sequence[str],
    title: str,
    axis: str,
    description: str,
    *,
    logarithmic: bool = False,
) -> str:
    """A line of marks per name, over one axis; up to three `kinds` of marks, in a legend."""
    height = TOP + TALL * max(len(lines), 1) + 46
    ends = [
        mark.value + side * mark.deviation for _, row in lines for mark in row for side in (-1, 1)
    ]
    low, high = (min(ends), max(ends)) if ends else (0.1, 1.0)
    if logarithmic:
        first = math.floor(math.log10(low))
        last = max(math.ceil(math.log10(high)), first + 1)
        ticks = [10.0**power for power in range(first, last + 1)]
        low, high = ticks[0], ticks[-1]
    else:
        margin = max((high - low) * 0.06, 0.002)
        low, high = low - margin, high + margin
        ticks = nice_ticks(low, high)

    def place(value: float) -> float:
        share = (
            math.log(value / low) / math.log(high / low)
            if logarithmic
            else (value - low) / (high - low)
        )
        return LEFT + share * (WIDTH - LEFT - 24)

    bottom = height - 40
    body = [COLOURS]
    for tick in ticks:
        body.append(segment(place(tick), TOP - 6, place(tick), bottom + 4, LINE))
        body.append(label(place(tick), bottom + 18, f"{tick:.6g}"))
    for number, (name, marks) in enumerate(lines):
        y = TOP + TALL * (number + 0.5)
        body.append(label(LEFT - 14, y + 4, name, "end", INK))
        for mark in marks:
            here = y + (mark.kind - (len(kinds) - 1) / 2) * 7
            if mark.deviation:
                ends_ = place(mark.value - mark.deviation), place(mark.value + mark.deviation)
                body.append(
                    segment(ends_[0], here, ends_[1], here, _colour(mark.kind), ' stroke-width="2"')
                )
            body.append(_shape(place(mark.value), here, mark.kind))
    body.append(label((LEFT + WIDTH) / 2, height - 6, axis))
    x = float(LEFT)
    for kind, words in enumerate(kinds):
        body.append(_shape(x, 12, kind) + label(x + 10, 16, words, "start", INK))
        x += 30 + 6.4 * len(words)
    return drawing(WIDTH, height, "study", title, description, body)


def _colour(kind: int) -> str:
    return (GOOD, DEFECT, MUTED)[kind % 3]


def _shape(x: float, y: float, kind: int) -> str:
    if kind % 3 == 2:
        return (
            f'<path d="M{x:.1f} {y - 5:.1f} l5 5 l-5 5 l-5 -5 Z" fill="none" '
            f'stroke="{_colour(kind)}" stroke-width="1.5"/>'
        )
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_colour(kind)}"/>'
