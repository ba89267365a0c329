"""`mintad-lab bench`: a table of the book of benchmarks, or the book itself from finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintad.errors import ConfigError, MissingExtraError, StorageError


def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which table; --list names them.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATA]...", help="Folders or manifests of images."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the tables and their rows.")] = False,
    book: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the book from the runs in DIR; runs nothing."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of the book and of all runs.")] = Path(
        "bench"
    ),
    seeds: Annotated[
        str, typer.Option(help="How many seeds, or which: 3 is the same as 0,1,2.")
    ] = "3",
    rows: Annotated[
        list[str] | None, typer.Option(help="Only these rows; several by commas.")
    ] = None,
    cases: Annotated[
        list[str] | None, typer.Option(help="Only these cases; several by commas.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Override a recipe field of all mintad's rows, or of one: ROW:FIELD=VALUE.",
        ),
    ] = None,
    peer_set: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE", help="Override epochs, batch_size or size of the peers."
        ),
    ] = None,
    peer_python: Annotated[
        Path | None, typer.Option(help="The Python that has anomalib, if it is another one.")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Let peers fetch the weights they need.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try once more what could not be run.")
    ] = False,
    layout: Annotated[str, typer.Option(help="How the data is laid out.")] = "auto",
    cache: Annotated[Path | None, typer.Option(help="Where features are kept.")] = None,
) -> None:
    """Run a table of the book of benchmarks: mintad and its peers, every run a process.

    What is finished is kept; the same command goes on with the rest.
    """
    from mintad_lab.bench.book import write_book
    from mintad_lab.bench.tables import choose, find_table, tables_text

    if list_:
        typer.echo(tables_text())
        return
    if book is not None:
        typer.echo(f"book: {write_book(book)}")
        return
    if name is None:
        raise ConfigError("No table is named.", "Name one; mintad-lab bench --list shows them all.")
    table = choose(find_table(name), _words(rows), _words(cases), set_ or (), peer_set or ())
    try:
        from mintad_lab.bench.running import Means, run_table
    except ModuleNotFoundError as error:
        raise MissingExtraError("A benchmark", "train") from error
    from mintad.data import read
    from mintad_lab.cli.study import parse_seeds

    numbers = parse_seeds(seeds)
    dataset = read(*(data or ()), layout=layout)
    means = Means(cache, peer_python, download, retry)
    try:
        run_table(table, dataset, out, seeds=numbers, means=means, echo=typer.echo)
    except (KeyboardInterrupt, StorageError):
        typer.echo(f"{out} keeps what is finished; the same command goes on.", err=True)
        raise
    write_book(out)
    typer.echo((out / f"{name}.md").read_text(encoding="utf-8"))
    typer.echo(f"table: {out / f'{name}.md'}")


def _words(values: list[str] | None) -> list[str]:
    return [word.strip() for text in values or () for word in text.split(",") if word.strip()]
