"""`mintad-lab study`: a comparison of the MINT-AD paper on given images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.errors import ConfigError, MissingExtraError, StorageError


def study(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which study; --list names them.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATA]...", help="Folders or manifests of images."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the studies and their rows.")] = False,
    out: Annotated[Path, typer.Option(help="The folder of the table and of all runs.")] = Path(
        "study"
    ),
    seeds: Annotated[
        str, typer.Option(help="How many seeds, or which: 3 is the same as 0,1,2.")
    ] = "3",
    epochs: Annotated[
        int | None, typer.Option(min=0, help="Short for --set training.epochs=N.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="The recipe that all rows share: its name, or a TOML file.")
    ] = "study",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Override a field of every row, or of one: ROW:FIELD=VALUE.",
        ),
    ] = None,
    rows: Annotated[
        list[str] | None, typer.Option(help="Only these rows; several by commas.")
    ] = None,
    layout: Annotated[str, typer.Option(help="How the data is laid out.")] = "auto",
    cache: Annotated[Path | None, typer.Option(help="Where features are kept.")] = None,
    keep_bundles: Annotated[
        bool, typer.Option("--keep-bundles", help="Keep the bundle of every run.")
    ] = False,
) -> None:
    """Run a comparison of the MINT-AD paper: a table over seeds, and a plot.

    What a stopped study has finished is kept; the same command goes on.
    """
    try:
        from mintad_lab.studies.catalogue import find_study
        from mintad_lab.studies.study import run_study
    except ModuleNotFoundError as error:
        raise MissingExtraError("A study", "train") from error
    from mintad.cli import progress_bar
    from mintad.data import read

    if list_:
        typer.echo(_listing())
        return
    if name is None:
        raise ConfigError("No study is named.", "Name one; mintad-lab study --list shows them all.")
    chosen = [row.strip() for text in rows or () for row in text.split(",")]
    find_study(name)
    numbers = parse_seeds(seeds)
    fields = list(set_ or []) + ([] if epochs is None else [f"training.epochs={epochs}"])
    dataset = read(*(data or ()), layout=layout)
    try:
        with progress_bar() as progress:
            table = run_study(
                name,
                dataset,
                out,
                recipe=recipe,
                overrides=fields,
                rows=chosen,
                seeds=numbers,
                cache=cache,
                keep_bundles=keep_bundles,
                progress=progress,
                echo=typer.echo,
            )
    except (KeyboardInterrupt, StorageError):
        typer.echo(f"{out} keeps what is finished; the same command goes on.", err=True)
        raise
    typer.echo(table.read_text(encoding="utf-8"))
    typer.echo(f"table: {table}")


def parse_seeds(text: str) -> tuple[int, ...]:
    """`3` to (0, 1, 2), `4,7` and `4,` to just these. Raises `ConfigError` for anything else."""
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if "," not in text and numbers:
        numbers = list(range(numbers[0]))
    if not numbers or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        raise ConfigError(
            f"--seeds {text!r} names no seeds.", "Write a number of seeds, 3, or a list, 0,1,2."
        )
    return tuple(numbers)


def _listing() -> str:
    from mintad_lab.studies.catalogue import find_study, list_studies

    lines = []
    for name in list_studies():
        study = find_study(name)
        paper = f"MINT-AD's {study.paper}"
        lines += [f"{name}: {study.question} ({paper})", *(row.name for row in study.settings), ""]
    heads = tuple(f"{name}:" for name in list_studies())
    return "\n".join(
        line if line.startswith(heads) or not line else f"  {line}" for line in lines
    ).rstrip()
