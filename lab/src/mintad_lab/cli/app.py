"""`mintad-lab`: what the laboratory does from the command line."""

from __future__ import annotations

from mintad.cli import new_app, run_app
from mintad_lab.cli.complexity import complexity
from mintad_lab.cli.inside import inside
from mintad_lab.cli.run import book, run, tables
from mintad_lab.cli.toy import toy

app = new_app("mintad-lab", "The laboratory of mintad: compares methods and looks inside them.")
for command in (run, tables, book, complexity, toy, inside):
    app.command()(command)


def main() -> None:
    """Runs `mintad-lab`."""
    run_app(app)
