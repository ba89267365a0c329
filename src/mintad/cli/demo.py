"""`mintad demo`: from images to a report, on what comes with packages from PyPI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.cli.options import Recipe
from mintad.cli.progress import progress_bar, resume_hint


def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, run and report.")] = Path("demo"),
    recipe: Recipe = "fast",
) -> None:
    """Train on five products that come with packages from PyPI, and show the result."""
    from mintad.demo.run import run_demo

    with progress_bar() as progress, resume_hint(out / "run", "the same command"):
        run_demo(out, recipe=recipe, progress=progress, echo=typer.echo)
