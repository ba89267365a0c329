"""`mintad validate`: every problem of a data set at once."""

from __future__ import annotations

from typing import Annotated

import typer

from mintad.cli.options import Bad, Data, Good, Layout, MaxPixels
from mintad.cli.progress import progress_bar


def validate(
    data: Data,
    layout: Layout = "auto",
    good: Good = None,
    bad: Bad = None,
    max_pixels: MaxPixels = None,
    bit_depth: Annotated[
        int | None,
        typer.Option(min=9, max=15, help="How many bits images hold that are stored with 16."),
    ] = None,
) -> None:
    """List every problem of a data set at once; exits with 1 when there is an error."""
    import mintad
    from mintad.reporting.problems import problems_text

    dataset = mintad.read(*data, layout=layout, good=good or (), bad=bad or ())
    with progress_bar() as progress:
        problems = mintad.validate(
            dataset, max_pixels=max_pixels, bit_depth=bit_depth, progress=progress
        )
    typer.echo(problems_text(dataset, problems))
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(1)
