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
    from mintad.report.terminal import evaluation_text
    from mintad.system.files import write_json

    dataset = mintad.read(*data, layout=layout)
    if protocol:
        from mintad.cli.protocols import compare_protocols

        return compare_protocols(bundle, dataset, protocol, json_file, give_product, engine)
    with progress_bar() as progress:
        evaluation = mintad.evaluate(
            bundle, dataset, give_product=give_product, engine=engine, progress=progress
        )
    content = evaluation.to_json()
    typer.echo(evaluation_text(content))
    if json_file is not None:
        write_json(json_file, content)
        typer.echo(f"numbers: {json_file}")
    return None
