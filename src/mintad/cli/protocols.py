"""`mintad evaluate --protocol`: the same predictions measured as several projects do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mintad.data import Dataset


def compare_protocols(
    bundle: Path,
    dataset: Dataset,
    protocols: list[str],
    json_file: Path | None,
    give_product: bool,
    engine: str | None,
) -> None:
    """Prints each metric under each protocol, and how far it moved; see `evaluate_protocols`."""
    from mintad.cli.progress import progress_bar
    from mintad.metrics.profile_measuring import evaluate_protocols
    from mintad.system.files import write_json

    with progress_bar() as progress:
        found = evaluate_protocols(
            bundle,
            dataset,
            protocols,
            give_product=give_product,
            engine=engine,
            progress=progress,
        )
    typer.echo(f"{found.table('macro')}\n\n{found.table('pooled')}\n")
    typer.echo("* not reported by the protocol's own code")
    if json_file is not None:
        write_json(json_file, found.to_json())
        typer.echo(f"numbers: {json_file}")
