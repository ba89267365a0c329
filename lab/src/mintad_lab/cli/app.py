"""`mintad-lab`: what the laboratory does from the command line."""

from __future__ import annotations

from mintad.cli import new_app, run_app
from mintad_lab.cli.bench import bench
from mintad_lab.cli.complexity import complexity
from mintad_lab.cli.inside import inside
from mintad_lab.cli.study import study
from mintad_lab.cli.toy import toy

app = new_app("mintad-lab", "The laboratory of mintad: compares methods and looks inside them.")
for command in (study, bench, complexity, toy, inside):
    app.command()(command)


def main() -> None:
    """Runs `mintad-lab`."""
    run_app(app)
