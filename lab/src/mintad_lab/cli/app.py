"""`mintad-lab`: what the laboratory does from the command line."""

from __future__ import annotations

import warnings

import typer

from mintad.cli.app import Commands
from mintad_lab.cli.bench import bench
from mintad_lab.cli.complexity import complexity
from mintad_lab.cli.inside import inside
from mintad_lab.cli.study import study
from mintad_lab.cli.toy import toy

app = typer.Typer(
    name="mintad-lab",
    cls=Commands,
    help="The laboratory of mintad: compares methods and looks inside them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (study, bench, complexity, toy, inside):
    app.command()(command)


def main() -> None:
    """Runs the command line; a warning is one line."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    app()
