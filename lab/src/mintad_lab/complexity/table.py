"""Writes what methods cost as Markdown, CSV, JSON and SVG."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from mintad.system import git_state, measured_on, package_versions, write_json, write_text
from mintad_lab.complexity.measuring import BATCHES, Cost
from mintad_lab.drawing.dot_plot import Mark, dot_plot

DASH = "–"

NOTES = (
    "Multiplications are those of matrix products and convolutions for one image: 1 GMAC is a "
    "billion multiply-accumulates, 2 GFLOP. Memory is what a method keeps beside parameters: "
    "memory banks, Gaussians, a closed form. Seconds are the median of {repeats} repeats after "
    "one that is not counted, in float32; behind the slash without the backbone."
)


def write_complexity(
    costs: Sequence[Cost], out: str | Path, *, products: int, repeats: int
) -> Path:
    """Writes `complexity.md`, `.csv`, `.json` and `.svg` into `out`; the path of the first."""
    out = Path(out)
    paper = published_figures()
    about = {
        "products": products,
        "repeats": repeats,
        "machine": measured_on(),
        "versions": package_versions(),
        "git": git_state(),
        "paper": paper,
    }
    write_text(out / "complexity.md", markdown(costs, paper, products, repeats))
    write_text(out / "complexity.csv", comma_separated(costs))
    write_json(out / "complexity.json", {**about, "rows": [asdict(cost) for cost in costs]})
    write_text(out / "complexity.svg", plot(costs))
    return out / "complexity.md"


def published_figures() -> dict[str, Any]:
    """What the paper prints: `table`, `measured_on` and `rows`."""
    file = resources.files("mintad_lab.complexity") / "published.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def markdown(costs: Sequence[Cost], paper: Mapping[str, Any], products: int, repeats: int) -> str:
    """The table, what it was measured on above, and what could not be measured below."""
    where = f"({paper['table']}: {paper['measured_on']})"
    batches = _batches(costs)
    headings = [
        "method",
        "on",
        "pixels",
        "GMAC",
        "GFLOP",
        "GMAC without backbone",
        "trainable, M",
        "backbone, M",
        "memory, M",
        *(f"s for {batch}" for batch in batches),
        f"GFLOP in the paper {where}",
        f"parameters in the paper, M {where}",
        f"s for 1, 8, 16, 32, 64 in the paper {where}",
    ]
    lines = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    lines += [
        f"| {' | '.join([*_cells(cost, batches), *_published(cost, paper['rows'])])} |"
        for cost in costs
    ]
    missing = [f"- {cost.name} was not measured. {cost.reason}" for cost in costs if cost.reason]
    about = measured_on()
    conditions = (
        f"{products} products, random weights, {about['threads']} of {about['cores']} cores, "
        f"{about['system']}, torch {package_versions().get('torch')}."
    )
    notes = NOTES.format(repeats=repeats)
    parts = ["# Complexity", conditions, "\n".join(lines), notes, "\n".join(missing)]
    return "\n\n".join(part for part in parts if part) + "\n"


def comma_separated(costs: Sequence[Cost]) -> str:
    """The table as CSV, in whole numbers and seconds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    batches = _batches(costs)
    counts = ["size", "macs", "model_macs", "trainable", "backbone", "memory"]
    times = [f"{kind}_{batch}" for kind in ("seconds", "model_seconds") for batch in batches]
    writer.writerow(["method", "on", *counts, *times, "not_measured"])
    for cost in costs:
        numbers = [None if cost.reason else getattr(cost, key) for key in counts]
        measured = [
            part.get(batch) for part in (cost.seconds, cost.model_seconds) for batch in batches
        ]
        writer.writerow([cost.name, cost.note, *numbers, *measured, cost.reason])
    return text.getvalue()


def plot(costs: Sequence[Cost]) -> str:
    """Seconds per image over the methods, in batches of one and of the largest size."""
    batches = _batches(costs)
    ends = list(dict.fromkeys((batches[0], batches[-1])))
    lines = [
        (
            cost.name,
            [Mark(cost.seconds[batch] / batch, 0.0, kind) for kind, batch in enumerate(ends)],
        )
        for cost in costs
        if cost.seconds
    ]
    words = " ".join(
        f"{name}: {', '.join(f'{mark.value:.4g} s' for mark in marks)}." for name, marks in lines
    )
    kinds = [f"batches of {batch}" for batch in ends]
    axis = "seconds per image"
    return dot_plot(lines, kinds, "Time per image", axis, words, logarithmic=True)


def _batches(costs: Sequence[Cost]) -> list[int]:
    return sorted({batch for cost in costs for batch in cost.seconds}) or list(BATCHES)


def _cells(cost: Cost, batches: Sequence[int]) -> list[str]:
    if cost.reason:
        return [cost.name, *[DASH] * (8 + len(batches))]
    model = DASH if cost.model_macs is None else f"{cost.model_macs / 1e9:.2f}"
    times = [
        f"{cost.seconds[batch]:.3f}"
        + (f" / {cost.model_seconds[batch]:.3f}" if batch in cost.model_seconds else "")
        for batch in batches
    ]
    counts = [f"{number / 1e6:.2f}" for number in (cost.trainable, cost.backbone, cost.memory)]
    total = [f"{cost.macs / 1e9:.2f}", f"{2 * cost.macs / 1e9:.2f}"]
    return [cost.name, cost.note, f"{cost.size}x{cost.size}", *total, model, *counts, *times]


def _published(cost: Cost, rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    figures = rows.get(cost.name.removeprefix("anomalib "))
    if figures is None:
        return [DASH] * 3
    times = ", ".join(f"{figures[f'seconds_{batch}']:g}" for batch in (1, 8, 16, 32, 64))
    return [f"{figures['flops']:g}", f"{figures['parameters']:g}", times]
