"""`mintad-lab inside`: what a bundle makes of images on the way to its anomaly map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.cli import BundlePath, Cache, Data, Layout, progress_bar
from mintad.data import read


def inside(
    bundle: BundlePath,
    data: Data,
    out: Annotated[
        Path, typer.Option(help="Folder for the page, the pictures and numbers.")
    ] = Path("inside"),
    images: Annotated[
        int, typer.Option(min=2, help="Most images per product, split and label.")
    ] = 100,
    layout: Layout = "auto",
    cache: Cache = None,
) -> None:
    """Draw what a bundle makes of images: features, queries, class tokens, products."""
    from mintad_lab.inside.page import run_inside

    dataset = read(*data, layout=layout)
    with progress_bar() as progress:
        run_inside(
            bundle, dataset, out, images=images, cache=cache, progress=progress, echo=typer.echo
        )
