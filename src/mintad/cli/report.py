"""`mintad report`: one HTML page of a bundle's results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.cli.options import Bad, BundlePath, Data, Engine, GiveProduct, Good, Layout, MaxPixels
from mintad.cli.progress import progress_bar


def report(
    bundle: BundlePath,
    data: Data,
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    layout: Layout = "auto",
    good: Good = None,
    bad: Bad = None,
    engine: Engine = None,
    max_pixels: MaxPixels = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Worst false alarms and misses per product.")
    ] = 6,
    give_product: GiveProduct = False,
) -> None:
    """Evaluate a bundle and write one self-contained HTML page of the results."""
    import mintad

    dataset = mintad.read(*data, layout=layout, good=good or (), bad=bad or ())
    with progress_bar() as progress:
        mintad.report(
            bundle,
            dataset,
            out,
            engine=engine,
            max_pixels=max_pixels,
            examples=examples,
            give_product=give_product,
            progress=progress,
        )
    typer.echo(f"report: {out}")
