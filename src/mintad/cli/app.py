"""The program: its commands, its version, and how it ends."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mintad.cli.demo import demo
from mintad.cli.doctor import doctor
from mintad.cli.evaluate import evaluate
from mintad.cli.export import export
from mintad.cli.inspect import inspect
from mintad.cli.models import models
from mintad.cli.parity import parity
from mintad.cli.report import report
from mintad.cli.speed import speed
from mintad.cli.train import train
from mintad.cli.validate import validate
from mintad.errors import MintadError
from mintad.system.words import printable


class _Commands(TyperGroup):
    """What a user can mend ends in a message and exit status 2, Ctrl-C in one and 130."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except MintadError as error:
            typer.echo(printable(f"error: {error.problem}\n  {error.mend}"), err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("Stopped.", err=True)
            raise typer.Exit(130) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever read the output has gone, which is no error
            typer.echo(printable(_told(error)), err=True)
            raise typer.Exit(2) from None


def _told(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"error: {place}{error.strerror or error}.\n  Mend that, then run the command again."


def _show_version(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        typer.echo(f"{ctx.command.name} {version(str(ctx.command.name))}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version."),
    ] = False,
) -> None: ...


def new_app(distribution: str, purpose: str) -> typer.Typer:
    """A program named after the distribution that holds it, without commands yet."""
    return typer.Typer(
        name=distribution,
        cls=_Commands,
        callback=_options,
        help=purpose,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


def run_app(app: typer.Typer) -> None:
    """Runs a program; a warning is one line, what the terminal cannot show is escaped."""
    warnings.formatwarning = lambda message, *_, **__: printable(f"warning: {message}\n")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except SystemExit as stop:
        sys.exit(_flushed(stop.code))


def _flushed(status: str | int | None) -> str | int | None:
    """The exit status; 2 where the output did not arrive, as on a full disk."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left goes nowhere
        if error.errno != errno.EPIPE:
            typer.echo(_told(error), err=True)
            return 2
    return status


app = new_app("mintad", "Visual anomaly detection: one model inspects every product.")
for command in (
    train,
    evaluate,
    inspect,
    report,
    validate,
    demo,
    doctor,
    models,
    export,
    parity,
    speed,
):
    app.command()(command)


def main() -> None:
    """Runs `mintad`."""
    run_app(app)
