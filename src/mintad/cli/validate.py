"""`mintad validate`: every problem of a data set at once."""

from __future__ import annotations

import typer

from mintad.cli.options import Data, Layout
from mintad.cli.progress import progress_bar


def validate(data: Data, layout: Layout = "auto") -> None:
    """List every problem of a data set at once; exits with 1 when there is an error."""
    import mintad
    from mintad.reporting.problems import problems_text
    from mintad.system.words import printable

    dataset = mintad.read(*data, layout=layout)
    with progress_bar() as progress:
        problems = mintad.validate(dataset, progress=progress)
    typer.echo(printable(problems_text(dataset, problems)))
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(1)
