"""`mintad export`: graphs that run without torch, for a bundle that is there already."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mintad.cli.options import Bad, BundlePath, Good, Layout


class Format(StrEnum):
    """What a graph is written as."""

    openvino = "openvino"
    onnx = "onnx"


class Precision(StrEnum):
    """What a graph computes in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    int8 = "int8"


def export(
    bundle: BundlePath,
    data: Annotated[
        list[str],
        typer.Option(help="Folders or manifests; their good training images check the graphs."),
    ],
    to: Annotated[list[Format], typer.Option(help="Which graphs; several may be named.")] = [  # noqa: B006
        Format.openvino
    ],
    precision: Annotated[
        list[Precision], typer.Option(help="float32 is always made; others are added to it.")
    ] = [Precision.float32],  # noqa: B006
    layout: Layout = "auto",
    good: Good = None,
    bad: Bad = None,
) -> None:
    """Write a bundle's network as ONNX or OpenVINO, checked against torch, into the bundle."""
    import mintad

    exported = mintad.export(
        bundle,
        mintad.read(*data, layout=layout, good=good or (), bad=bad or ()),
        formats=[kind.value for kind in to],
        precisions=[kind.value for kind in precision],
    )
    for entry in exported.manifest.graphs:
        loss = "" if entry.auroc_change is None else f", AUROC {entry.auroc_change:+.4f}"
        typer.echo(
            f"{entry.format}:{entry.precision}  {entry.file}  map {entry.map_deviation:.1e}, "
            f"score {entry.score_deviation:.1e} from torch on {entry.images} images{loss}"
        )
