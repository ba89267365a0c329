"""Runs the toy experiment and writes its numbers and its pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mintad.system import Progress, write_json, write_text
from mintad_lab import markdown
from mintad_lab.toy.experiment import Outcome, Plan, run
from mintad_lab.toy.pictures import draw_figures
from mintad_lab.toy.training import Budget

MEANINGS = {
    "interference": "share of the area between classes that is rebuilt",
    "outside": "share of everything away from the shapes that is rebuilt",
    "copied": "share of the outside that is moved by less than half its way to the nearest shape",
    "false_alarms": "share of held-out normal points that are not rebuilt",
    "roughness": "border of what is rebuilt, relative to the border of the shapes",
}


def run_toy(
    out: Path,
    *,
    seed: int = 0,
    repeats: int = 3,
    budget: Budget | None = None,
    planned: Plan | None = None,
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
    page = _page(outcome)
    pictures = "".join(f"\n![{name}]({name})\n" for name in figures)
    write_text(out / "toy.md", f"# The toy experiment\n\n{page}{pictures}")
    echo(page)
    echo(f"numbers: {out / 'toy.json'}, {out / 'toy.md'}")
    echo(f"pictures: {', '.join(str(out / name) for name in figures)}")
    echo(f"time: {time.perf_counter() - start:.0f} s")
    return outcome


def _page(outcome: Outcome) -> str:
    """A row per scene and network, and what its columns mean."""
    rows = []
    for scene, networks in outcome.trained.items():
        for network, trained in networks.items():
            size = f" {network.depth}×{network.width}" if network.width else ""
            count = f"{trained.parameters:,}" if trained.parameters else markdown.DASH
            mean, deviation = trained.mean(), trained.deviation()
            cells = [
                markdown.DASH if mean[name] is None else f"{mean[name]:.3f} ± {deviation[name]:.3f}"
                for name in MEANINGS
            ]
            rows.append([scene, f"{network.kind}{size}", count, *cells])
    columns = {name.replace("_", " "): meaning for name, meaning in MEANINGS.items()}
    table = markdown.table(["shapes", "network", "parameters", *columns], rows, words=2)
    meanings = "".join(f"- {name}: {meaning}\n" for name, meaning in columns.items())
    seeds = ", ".join(map(str, outcome.seeds))
    return f"Mean ± deviation over the seeds {seeds}.\n\n{table}\n{meanings}"
