"""The table of an evaluation in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mintad.report.table import METRICS, Row, build_table

if TYPE_CHECKING:
    from rich.table import Table


WIDTH = 120
"""The least width of a table, in characters, where nothing limits it."""


def evaluation_text(evaluation: Mapping[str, Any], title: str | None = None) -> str:
    """`evaluation_table` as text: as wide as the terminal, or for a file at least `WIDTH` wide."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=max(WIDTH, console.width))
    with console.capture() as capture:
        console.print(evaluation_table(evaluation, title))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def evaluation_table(evaluation: Mapping[str, Any], title: str | None = None) -> Table:
    """A rich table: a row per product, then macro and pooled; what is undefined is a dash.

    The caption gives the reasons of the dashes. Raises DataError if there are no products.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    contents = build_table(evaluation)
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
    for metric in METRICS:
        header = f"{metric.group}\n{metric.name.replace('-', '')}"
        table.add_column(header, justify="right", no_wrap=True)

    def add(row: Row, style: str = "") -> None:
        cells = [
            cell.text if cell.note is None else f"{cell.text} {cell.note}" for cell in row.cells
        ]
        texts = [row.name, f"{row.good:,}", f"{row.defective:,}", *cells]
        table.add_row(*(Text(text) for text in texts), style=style)

    for row in contents.products:
        add(row)
    table.add_section()
    add(contents.macro, "bold")
    add(contents.pooled)
    return table
