"""The tables of an evaluation in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mintad.metrics import METRICS, REFERENCE, Evaluation, MetricTable, headings
from mintad.reporting.table import DASH, TableRow, build_table

if TYPE_CHECKING:
    from rich.table import Table


WIDTH = 120
"""The least width of a table, in characters, where nothing limits it."""


def evaluation_text(metrics: MetricTable, title: str | None = None) -> str:
    """`evaluation_table` as text: as wide as the terminal, or for a file at least `WIDTH` wide."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=max(WIDTH, console.width))
    with console.capture() as capture:
        console.print(evaluation_table(metrics, title))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def evaluation_table(metrics: MetricTable, title: str | None = None) -> Table:
    """A rich table: a row per product, then macro and pooled; what is undefined is a dash.

    The caption gives the reasons of the dashes.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    contents = build_table(metrics)
    caption = "\n".join(f"{number} {note}" for number, note in enumerate(contents.notes, start=1))
    table = Table(
        title=Text(title) if title else None,
        caption=Text(caption) if caption else None,
        caption_justify="left",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("Product", overflow="fold")
    table.add_column("Good", justify="right", no_wrap=True)
    table.add_column("Defect", justify="right", no_wrap=True)
    for metric in METRICS.values():
        header = f"{metric.kind.capitalize()}\n{metric.name.replace('-', '')}"
        table.add_column(header, justify="right", no_wrap=True)

    def add(row: TableRow, style: str = "") -> None:
        cells = [
            cell.text if cell.note is None else f"{cell.text} {cell.note}"
            for cell in row.cells.values()
        ]
        texts = [row.name, f"{row.good:,}", f"{row.defective:,}", *cells]
        table.add_row(*(Text(text) for text in texts), style=style)

    for row in contents.products:
        add(row)
    table.add_section()
    add(contents.macro, "bold")
    add(contents.pooled)
    return table


def protocols_text(evaluation: Evaluation) -> str:
    """Two Markdown tables, macro and pooled: each metric under each protocol, and how far it
    moved from `mintad`. A star marks what the protocol's own code does not report.
    """
    macro = {name: table.macro for name, table in evaluation.tables.items()}
    pooled = {name: table.pooled.values for name, table in evaluation.tables.items()}
    defines = {profile.name: profile.defines for profile in evaluation.profiles}
    star = "* not reported by the protocol's own code"
    return "\n\n".join([_moves("macro", macro, defines), _moves("pooled", pooled, defines), star])


def _moves(
    part: str,
    values: Mapping[str, Mapping[str, float | None]],
    defines: Mapping[str, Sequence[str]],
) -> str:
    lines = [f"| {part} | {' | '.join(headings())} |", "|" + "---|" * (len(METRICS) + 1)]
    for protocol, row in values.items():
        reference = {} if protocol == REFERENCE else values[REFERENCE]
        cells = [
            _moved(row[metric], reference.get(metric))
            + ("" if metric in defines[protocol] else " *")
            for metric in METRICS
        ]
        lines.append(f"| {protocol} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _moved(value: float | None, reference: float | None) -> str:
    if value is None:
        return DASH
    return f"{value:.4f}" if reference is None else f"{value:.4f} ({value - reference:+.4f})"
