"""`mintad-lab complexity`: what each method costs (MINT-AD, Table 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.cli import progress_bar


def complexity(
    out: Annotated[Path, typer.Option(help="Folder for the table and its plot.")] = Path(
        "complexity"
    ),
    products: Annotated[int, typer.Option(min=1, help="Products that a model knows.")] = 15,
    repeats: Annotated[int, typer.Option(min=1, help="Timed repeats of each batch.")] = 3,
    rows: Annotated[
        list[str] | None, typer.Option(help="Only these methods; several by commas.")
    ] = None,
) -> None:
    """Measure what each method costs: multiplications, parameters, seconds; needs no images.

    What a stopped call has finished is kept; the same command goes on.
    """
    from mintad_lab.complexity.measuring import measure_all
    from mintad_lab.complexity.table import write_complexity

    chosen = tuple(row.strip() for text in rows or () for row in text.split(","))
    with progress_bar() as progress:
        costs = measure_all(
            products=products, repeats=repeats, rows=chosen, keep=out / "rows", progress=progress
        )
    table = write_complexity(costs, out, products=products, repeats=repeats)
    typer.echo(table.read_text(encoding="utf-8"))
    typer.echo(f"table: {table}")
