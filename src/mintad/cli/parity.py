"""`mintad parity`: whether all engines of a bundle say the same."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from mintad.cli.options import Bad, BundlePath, Data, Engines, Good, JsonFile, Layout
from mintad.errors import BundleError, DataError

if TYPE_CHECKING:
    from mintad.bundle import Bundle
    from mintad.engines import Engine


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
    import numpy as np

    from mintad.bundle import load
    from mintad.data import read
    from mintad.engines.engine import engine_names, open_engine
    from mintad.engines.parity import compare_engines
    from mintad.system.files import write_json

    opened = load(bundle)
    names = [name for name in engine_names(opened) if not name.startswith("torch")]
    against = "torch" if find_spec("torch") else "openvino:float32"
    chosen = [name for name in engine or names if name != against]
    if not chosen or not {"torch", *names} & {against}:
        raise BundleError(
            f"The bundle {opened.path} holds no two engines to compare on this machine.",
            "Add graphs to it with `mintad export`.",
        )
    dataset = read(*data, layout=layout, good=good or (), bad=bad or ())
    samples = [
        sample
        for sample in (dataset.test.samples or dataset.train.samples)
        if sample.product in opened.manifest.product_names
    ]
    if not samples:
        raise DataError(
            "The data holds no image of any product that the bundle knows.",
            f"It knows: {', '.join(opened.manifest.product_names)}.",
        )
    if most is not None and most < len(samples):
        samples = [samples[row] for row in np.linspace(0, len(samples) - 1, most).astype(int)]
    engines = {name: open_engine(opened, name) for name in chosen}
    found = compare_engines(opened, samples, engines, _reference(opened, against))
    typer.echo(f"{len(samples)} images, compared with {against}")
    typer.echo(f"{'engine':<20} {'map':>9} {'score':>9} {'product':>8} {'AUROC':>16}")
    for one in found:
        auroc = "" if one.auroc is None else f"{one.auroc:.4f} ({one.auroc_change:+.4f})"
        typer.echo(
            f"{one.engine:<20} {one.deviation.map:>9.1e} {one.deviation.score:>9.1e} "
            f"{one.deviation.products:>8.2%} {auroc:>16}"
            f"{'' if one.within else '  out of tolerance'}"
        )
    if json_file is not None:
        rows = [
            asdict(one) | {"deviation": one.deviation._asdict(), "within": one.within}
            for one in found
        ]
        write_json(json_file, {"reference": against, "images": len(samples), "engines": rows})
    if not all(one.within for one in found):
        raise typer.Exit(1)


def _reference(bundle: Bundle, name: str) -> Engine:
    if name != "torch":
        from mintad.engines.engine import open_engine

        return open_engine(bundle, name)
    from mintad.exporting.graph import NetworkEngine

    return NetworkEngine(bundle)
