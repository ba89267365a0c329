"""`mintad inspect`: a line of JSON and a heatmap for each image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mintad.cli.options import BundlePath, Engine


def inspect(
    bundle: BundlePath,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Images or folders.")],
    out: Annotated[Path, typer.Option(help="Folder for the heatmap overlays.")] = Path("heatmaps"),
    no_heatmaps: Annotated[
        bool, typer.Option("--no-heatmaps", help="Write no overlays, only the lines.")
    ] = False,
    product: Annotated[
        str | None, typer.Option(help="The product of these images; recognised without it.")
    ] = None,
    engine: Engine = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
) -> None:
    """Inspect images: one line of JSON and one heatmap overlay for each.

    Exits with 1 when an image could not be read; the others are inspected all the same.
    """
    from mintad.inspection import Inspector
    from mintad.inspection.paths import inspect_paths

    inspector = Inspector(bundle, engine=engine, batch_size=batch_size)
    failed = 0
    place = None if no_heatmaps else out
    for line in inspect_paths(inspector, paths, product=product, out=place):
        failed += "error" in line
        typer.echo(json.dumps(line))
    if failed:
        images = "1 image" if failed == 1 else f"{failed} images"
        typer.echo(f"{images} could not be inspected; each line's error says why.", err=True)
        raise typer.Exit(1)
