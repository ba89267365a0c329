"""The arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle or run folder.")]
Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...", help="Folders or manifests of images; NAME=PATH prefixes the products."
    ),
]
Layout = Annotated[str, typer.Option(help="How the data is laid out; auto finds out.")]
Good = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A further name of folders with good images."),
]
Bad = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A name that sounds good but is that of a defect."),
]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Refuse images with more pixels than this.")
]
Recipe = Annotated[str, typer.Option(help="A recipe's name, or a TOML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Override any field of the recipe."),
]
Cache = Annotated[Path | None, typer.Option(help="Where features are kept.")]
Engine = Annotated[
    str | None,
    typer.Option(help="openvino, onnx, torch, openvino:bfloat16 and so on; auto measures them."),
]
Engines = Annotated[
    list[str] | None,
    typer.Option("--engine", help="Only these engines, such as openvino:bfloat16."),
]
GiveProduct = Annotated[
    bool, typer.Option("--give-product", help="Tell the model the product of each image.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here.")
]
PrintJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
