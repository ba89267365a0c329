"""`mintad parity`: whether all engines of a bundle say the same."""

from __future__ import annotations

from typing import Annotated

import typer

from mintad.cli.options import Bad, BundlePath, Data, Engines, Good, JsonFile, Layout


def parity(
    bundle: BundlePath,
    data: Data,
    engine: Engines = None,
    layout: Layout = "auto",
    good: Good = None,
    bad: Bad = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="At most so many images, evenly chosen.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Compare every engine of a bundle with torch; exits with 1 where one is out of tolerance.

    Without torch the reference is OpenVINO in float32. The test images are used, and the
    training images where there are none.
    """
    from mintad.bundle import load
    from mintad.data import read
    from mintad.engines import compare_engines
    from mintad.system.files import write_json

    dataset = read(*data, layout=layout, good=good or (), bad=bad or ())
    result = compare_engines(load(bundle), dataset, engines=engine or (), most=most)
    typer.echo(f"{result.images} images, compared with {result.reference}")
    typer.echo(f"{'engine':<20} {'map':>9} {'score':>9} {'product':>8} {'AUROC':>16}")
    for row in result.engines:
        auroc = "" if row.auroc is None else f"{row.auroc:.4f} ({row.auroc_change:+.4f})"
        typer.echo(
            f"{row.engine:<20} {row.deviation.map:>9.1e} {row.deviation.score:>9.1e} "
            f"{row.deviation.products:>8.2%} {auroc:>16}"
            f"{'' if row.within else '  out of tolerance'}"
        )
    if json_file is not None:
        write_json(json_file, result.to_json())
    if not result.within:
        raise typer.Exit(1)
