"""`mintad evaluate`: a bundle measured on labelled test images."""

from __future__ import annotations

from typing import Annotated

import typer

from mintad.cli.options import BundlePath, Data, Engine, GiveProduct, JsonFile, Layout
from mintad.cli.progress import progress_bar


def evaluate(
    bundle: BundlePath,
    data: Data,
    json_file: JsonFile = None,
    give_product: GiveProduct = False,
    layout: Layout = "auto",
    engine: Engine = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol", "--protocols", help="Measure as another project does, too; or all."
        ),
    ] = None,
) -> None:
    """Measure a bundle on labelled test images: seven metrics per product, macro and pooled."""
    import mintad
    from mintad.reporting.terminal import evaluation_text, protocols_text
    from mintad.system.files import write_json

    dataset = mintad.read(*data, layout=layout)
    with progress_bar() as progress:
        evaluation = mintad.evaluate(
            bundle,
            dataset,
            give_product=give_product,
            engine=engine,
            protocols=protocol or (),
            progress=progress,
        )
    typer.echo(protocols_text(evaluation) if protocol else evaluation_text(evaluation.metrics))
    if json_file is not None:
        write_json(json_file, evaluation.to_json())
        typer.echo(f"numbers: {json_file}")
