"""`mintad models`: the methods that there are."""

from __future__ import annotations

import json

import typer

from mintad.cli.options import PrintJson
from mintad.errors import MissingExtraError


def models(json_output: PrintJson = False) -> None:
    """List every method: its paper, what it needs at test time, and its switches."""
    try:
        from mintad.models.catalogue import describe_models
    except ModuleNotFoundError as error:
        raise MissingExtraError("Listing the models", "train") from error
    from mintad.reporting.methods import methods_text

    methods = describe_models()
    typer.echo(json.dumps(methods, indent=2) if json_output else methods_text(methods))
