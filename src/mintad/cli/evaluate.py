"""`mintad evaluate`: a bundle measured on labelled test images."""

from __future__ import annotations

from typing import Annotated

import typer

from mintad.cli.options import (
    Bad,
    BundlePath,
    Data,
    Engine,
    GiveProduct,
    Good,
    JsonFile,
    Layout,
    MaxPixels,
)
from mintad.cli.progress import progress_bar


def evaluate(
    bundle: BundlePath,
    data: Data,
    json_file: JsonFile = None,
    give_product: GiveProduct = False,
    layout: Layout = "auto",
    good: Good = None,
    bad: Bad = None,
    engine: Engine = None,
    max_pixels: MaxPixels = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol", "--protocols", help="Measure as another project does, too; or all."
        ),
    ] = None,
) -> None:
    """Measure a bundle on labelled test images: seven metrics per product, macro and pooled."""
    import mintad
    from mintad.reporting.problems import left_out_text
    from mintad.reporting.terminal import evaluation_text, protocols_text
    from mintad.system.files import write_json

    dataset = mintad.read(*data, layout=layout, good=good or (), bad=bad or ())
    if left_out := left_out_text(dataset):
        typer.echo(left_out)
    with progress_bar() as progress:
        evaluation = mintad.evaluate(
            bundle,
            dataset,
            give_product=give_product,
            engine=engine,
            max_pixels=max_pixels,
            protocols=protocol or (),
            progress=progress,
        )
    typer.echo(protocols_text(evaluation) if protocol else evaluation_text(evaluation.metrics))
    if json_file is not None:
        write_json(json_file, evaluation.to_json())
        typer.echo(f"numbers: {json_file}")
