"""`mintad doctor` and `mintad models`: what there is."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mintad.errors import MissingExtraError


def doctor(
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what this machine has: cores, bfloat16, GPU, disk, versions, backbone weights."""
    from mintad.cli.machine import describe, format_description

    found = describe()
    typer.echo(json.dumps(found, indent=2) if json_output else format_description(found))


def models(
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every method: its paper, what it needs at test time, and its switches."""
    try:
        from mintad.models.catalogue import describe_models
    except ModuleNotFoundError as error:
        raise MissingExtraError("Listing the models", "train") from error
    from mintad.report.methods import methods_text

    found = describe_models()
    typer.echo(json.dumps(found, indent=2) if json_output else methods_text(found))
