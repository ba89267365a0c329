"""`mintad train`: one model over all products."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.cli.options import Bad, Cache, Data, Good, Layout, Overrides, Recipe
from mintad.cli.progress import progress_bar, resume_hint
from mintad.system.words import counted


def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="The folder of the run; the bundle goes inside.")],
    recipe: Recipe = "default",
    set_: Overrides = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set seed=N.")] = None,
    layout: Layout = "auto",
    good: Good = None,
    bad: Bad = None,
    cache: Cache = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute the features anew in every epoch.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out after a stop.")
    ] = False,
) -> None:
    """Train one model over all products from their good images."""
    import mintad
    from mintad.reporting.problems import left_out_text

    overrides = list(set_ or []) + ([] if seed is None else [f"seed={seed}"])
    dataset = mintad.read(*data, layout=layout, good=good or (), bad=bad or ())
    images = dataset.good
    typer.echo(
        f"{counted(len(images), 'good training image')} of "
        f"{counted(len(images.products), 'product')}"
    )
    if left_out := left_out_text(dataset):
        typer.echo(left_out)
    with progress_bar() as progress, resume_hint(out, "the same command with --resume"):
        bundle = mintad.train(
            dataset,
            out,
            recipe=recipe,
            overrides=overrides,
            cache=cache,
            use_cache=not no_cache,
            resume=resume,
            progress=progress,
        )
    typer.echo(f"bundle: {bundle.path}")
