"""Runs the toy experiment and writes its numbers and its pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mintad.system import Progress
from mintad.system.files import write_json, write_text
from mintad_lab.toy.experiment import Outcome, run
from mintad_lab.toy.fields import draw_figures
from mintad_lab.toy.tables import table_markdown, table_text
from mintad_lab.toy.training import Budget, Network

MEANINGS = """\
interference: share of the area between classes that is rebuilt
outside: share of everything away from the shapes that is rebuilt
copied: share of the outside that is moved by less than half its way to the nearest shape
false alarms: share of held-out normal points that are not rebuilt
roughness: border of what is rebuilt, relative to the border of the shapes"""


def run_toy(
    out: Path,
    *,
    seed: int = 0,
    repeats: int = 3,
    budget: Budget | None = None,
    planned: dict[str, tuple[Network, ...]] | None = None,
    progress: Progress | None = None,
    echo: Callable[[str], None] = print,
) -> Outcome:
    """Writes `toy.json`, `toy.md` and the figures `toy-*.svg` into `out`, and tells the table.

    Raises `StorageError` where `out` cannot be written.
    """
    start = time.perf_counter()
    outcome = run(seed, repeats, budget, planned, progress)
    figures = draw_figures(outcome)
    write_json(out / "toy.json", outcome.to_json())
    for name, svg in figures.items():
        write_text(out / name, svg)
    seeds = ", ".join(map(str, outcome.seeds))
    pictures = "".join(f"\n![{name}]({name})\n" for name in figures)
    meanings = "".join(f"- {line}\n" for line in MEANINGS.splitlines())
    write_text(
        out / "toy.md",
        f"# The toy experiment\n\nMean ± deviation over the seeds {seeds}.\n\n"
        f"{table_markdown(outcome)}\n{meanings}{pictures}",
    )
    echo(table_text(outcome))
    echo(f"\n{MEANINGS}\n")
    echo(f"seeds: {seeds}")
    echo(f"numbers: {out / 'toy.json'}, {out / 'toy.md'}")
    echo(f"pictures: {', '.join(str(out / name) for name in figures)}")
    echo(f"time: {time.perf_counter() - start:.0f} s")
    return outcome
