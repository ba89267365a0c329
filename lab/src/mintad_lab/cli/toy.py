"""`mintad-lab toy`: the toy experiment of MINT-AD."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.cli import progress_bar


def toy(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and numbers.")] = Path("toy"),
    seed: Annotated[int, typer.Option(min=0, help="The first of three seeds.")] = 0,
) -> None:
    """Draw what autoencoders rebuild in the plane, with and without knowing the class."""
    from mintad_lab.toy.page import run_toy

    with progress_bar() as progress:
        run_toy(out, seed=seed, progress=progress, echo=typer.echo)
