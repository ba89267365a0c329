"""`mintad-lab run`, `tables` and `book`: tables, from images to pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.cli import Cache, Data, Layout
from mintad.errors import ConfigError, MissingExtraError, StorageError

Words = list[str] | None


def run(
    name: Annotated[
        str, typer.Argument(metavar="TABLE", help="Which table; mintad-lab tables names them.")
    ],
    data: Data,
    out: Annotated[Path, typer.Option(help="The folder of the pages and of all runs.")] = Path(
        "book"
    ),
    seeds: Annotated[
        str, typer.Option(help="How many seeds, or which: 3 is the same as 0,1,2.")
    ] = "3",
    rows: Annotated[Words, typer.Option(help="Only these rows; several by commas.")] = None,
    cases: Annotated[Words, typer.Option(help="Only these cases; several by commas.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="The recipe of all mintad's rows: its name, or a TOML file.")
    ] = None,
    set_: Annotated[
        Words,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Override a recipe field of all mintad's rows, or of one: ROW:FIELD=VALUE.",
        ),
    ] = None,
    peer_set: Annotated[
        Words,
        typer.Option(
            metavar="FIELD=VALUE",
            help="Override epochs, batch_size or size of all peers, or of one: PEER:FIELD=VALUE.",
        ),
    ] = None,
    peer_python: Annotated[
        Path | None, typer.Option(help="The Python that has anomalib, if it is another one.")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Let peers fetch the weights they need.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try once more what failed.")] = False,
    keep_bundles: Annotated[
        bool, typer.Option("--keep-bundles", help="Keep the bundle of every run.")
    ] = False,
    layout: Layout = "auto",
    cache: Cache = None,
) -> None:
    """Run a table: every row, case and seed in a process of its own.

    What is finished is kept; the same command goes on with the rest.
    """
    try:
        from mintad_lab.experiment.running import Means, run_table
    except ModuleNotFoundError as error:
        raise MissingExtraError("A table", "train") from error
    from mintad.data import read
    from mintad_lab.tables import find_table

    table = find_table(name).override(set_ or (), peer_set or (), recipe)
    numbers = parse_seeds(seeds)
    dataset = read(*data, layout=layout)
    means = Means(cache, peer_python, download, retry, keep_bundles)
    try:
        page = run_table(
            table,
            dataset,
            out,
            rows=_words(rows),
            cases=_words(cases),
            seeds=numbers,
            means=means,
            echo=typer.echo,
        )
    except (KeyboardInterrupt, StorageError):
        typer.echo(f"{out} keeps what is finished; the same command goes on.", err=True)
        raise
    typer.echo(page.read_text(encoding="utf-8"))
    typer.echo(f"table: {page}")


def tables() -> None:
    """List the tables with what they ask, their cases and rows."""
    from mintad_lab.tables import describe_tables

    typer.echo(describe_tables())


def book(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The --out folder of runs.")],
) -> None:
    """Write every table of a folder, and a page with all of them, from its runs alone."""
    from mintad_lab.experiment.book import write_book

    typer.echo(f"book: {write_book(folder)}")


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


def _words(values: Words) -> list[str]:
    return [word.strip() for text in values or () for word in text.split(",") if word.strip()]
