"""The plot of a study as an SVG file of its own."""

from __future__ import annotations

from collections.abc import Sequence

from mintad_lab.drawing.dot_plot import Mark, dot_plot
from mintad_lab.studies.setting import Row, Spread


def row_plot(rows: Sequence[Row], *, title: str, paper: str) -> str:
    """Image AUROC per row, macro and pooled, with deviation bars; the paper's value beside it."""
    lines: list[tuple[str, list[Mark]]] = []
    for row in rows:
        macro, pooled = row.spread("i_auroc"), row.spread("i_auroc", "pooled")
        marks = [
            Mark(spread.mean, spread.deviation or 0.0, kind)
            for kind, spread in enumerate((macro, pooled))
            if spread is not None
        ]
        published = row.setting.published.get("i_auroc")
        if published is not None:
            marks.append(Mark(published, 0.0, 2))
        lines.append((row.setting.name, marks))
    printed = any("i_auroc" in row.setting.published for row in rows)
    kinds = ("macro", "pooled", f"paper ({paper})")[: 3 if printed else 2]
    description = " ".join(
        f"{row.setting.name}: {_words(row.spread('i_auroc'))}." for row in rows if row.results
    )
    return dot_plot(lines, kinds, title, "image AUROC", description)


def _words(spread: Spread | None) -> str:
    return "undefined" if spread is None else f"image AUROC {spread.text()}"
