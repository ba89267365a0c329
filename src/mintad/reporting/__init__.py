"""Heatmaps, plots, the table in the terminal and the self-contained HTML report."""

from mintad.reporting.svg import DEFECT, GOOD, INK, LINE, MUTED, drawing, label, nice_ticks, segment

__all__ = [
    "DEFECT",
    "GOOD",
    "INK",
    "LINE",
    "MUTED",
    "drawing",
    "label",
    "nice_ticks",
    "segment",
]
