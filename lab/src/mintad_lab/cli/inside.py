"""`mintad-lab inside`: what a bundle makes of images on the way to its anomaly map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.errors import MissingExtraError


def inside(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle or run folder.")],
    data: Annotated[
        list[str],
        typer.Argument(metavar="DATA...", help="Folders or manifests of images."),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for the page, the pictures and numbers.")
    ] = Path("inside"),
    images: Annotated[
        int, typer.Option(min=2, help="Most images per product, split and label.")
    ] = 100,
    layout: Annotated[str, typer.Option(help="How the data is laid out; auto finds out.")] = "auto",
    cache: Annotated[Path | None, typer.Option(help="Where features are kept.")] = None,
) -> None:
    """Draw what a bundle makes of images: features, queries, class tokens, products."""
    from mintad.cli import progress_bar
    from mintad.data import read

    try:
        from mintad_lab.inside.page import run_inside
    except ModuleNotFoundError as error:
        raise MissingExtraError("Looking inside a bundle", "train") from error
    dataset = read(*data, layout=layout)
    with progress_bar() as progress:
        run_inside(
            bundle,
            dataset,
            out,
            images=images,
            cache=cache,
            progress=progress,
            echo=typer.echo,
        )
