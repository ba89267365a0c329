"""`mintad inspect`: a line of JSON and a heatmap for each image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mintad.cli.options import BundlePath, Engine, MaxPixels
from mintad.system.words import counted, printable


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
    max_pixels: MaxPixels = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Images at a time; 1 gives each its answer soonest.")
    ] = 16,
) -> None:
    """Inspect images: one line of JSON and one heatmap overlay for each.

    Exits with 1 when an image, a folder or a heatmap failed; the others are inspected all the same.
    """
    from mintad.inspection import Inspector, inspect_images, list_images

    listing = list_images(paths)
    for sentence in listing.warnings():
        typer.echo(printable(f"warning: {sentence}"), err=True)
    inspector = Inspector(bundle, engine=engine, batch_size=batch_size, max_pixels=max_pixels)
    failed = without_heatmap = 0
    place = None if no_heatmaps else out
    for line in inspect_images(inspector, listing.images, product=product, out=place):
        failed += line["error"] is not None
        without_heatmap += line["warning"] is not None
        typer.echo(json.dumps(line))
    if failed:
        typer.echo(
            f"{counted(failed, 'image')} could not be inspected; each line's error says why.",
            err=True,
        )
    if without_heatmap:
        typer.echo(
            f"{counted(without_heatmap, 'heatmap')} could not be written; each line's warning "
            "says why.",
            err=True,
        )
    if failed or without_heatmap or listing.passed_over:
        raise typer.Exit(1)
