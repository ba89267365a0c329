"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

DASH = "–"
"""What stands where there is no number."""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """The lines of a table; the first `words` columns hold words, the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(headings) - words)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (headings, rule, *rows))


def number(value: float | None, digits: int = 3) -> str:
    """A number as a cell; a dash for none."""
    return DASH if value is None else f"{value:.{digits}f}"
