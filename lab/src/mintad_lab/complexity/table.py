"""Writes what methods cost as Markdown, JSON and SVG."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from mintad.system import git_state, measured_on, package_versions, write_json, write_text
from mintad_lab import markdown
from mintad_lab.complexity.measuring import BATCHES, Cost
from mintad_lab.drawing.dot_plot import Mark, dot_plot

NOTES = (
    "Multiplications are those of matrix products and convolutions for one image: 1 GMAC is a "
    "billion multiply-accumulates, 2 GFLOP. Memory is what a method keeps beside parameters: "
    "memory banks, Gaussians, a closed form. Seconds are the median of {repeats} repeats after "
    "one that is not counted, in float32; behind the slash without the backbone."
)


def write_complexity(costs: Sequence[Cost], out: Path, *, products: int, repeats: int) -> Path:
    """Writes `complexity.md`, `.json` and `.svg` into `out`; the path of the first."""
    about = {
        "products": products,
        "repeats": repeats,
        "machine": measured_on(),
        "versions": package_versions(),
        "git": git_state(),
        "paper": published_figures(),
    }
    write_text(out / "complexity.md", page(costs, about))
    write_json(out / "complexity.json", {**about, "rows": [asdict(cost) for cost in costs]})
    write_text(out / "complexity.svg", plot(costs))
    return out / "complexity.md"


def published_figures() -> dict[str, Any]:
    """What the paper prints: `table`, `measured_on` and `rows`."""
    file = resources.files("mintad_lab.complexity") / "published.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def page(costs: Sequence[Cost], about: Mapping[str, Any]) -> str:
    """The table with what it was measured on above, and what could not be measured below."""
    paper, machine, batches = about["paper"], about["machine"], _batches(costs)
    where = f"in the paper ({paper['table']}: {paper['measured_on']})"
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
        f"GFLOP {where}",
        f"parameters, M, {where}",
        f"s for 1, 8, 16, 32, 64 {where}",
    ]
    rows = [[*_cells(cost, batches), *_published(cost, paper["rows"])] for cost in costs]
    conditions = (
        f"{about['products']} products, random weights, {machine['threads']} of "
        f"{machine['cores']} cores, {machine['system']}, torch {about['versions']['torch']}."
    )
    missing = [f"- {cost.name} was not measured. {cost.reason}" for cost in costs if cost.reason]
    table = markdown.table(headings, rows, words=2)
    notes = NOTES.format(repeats=about["repeats"])
    return "\n\n".join(["# Complexity", conditions, table.strip(), notes, *missing]) + "\n"


def plot(costs: Sequence[Cost]) -> str:
    """Seconds per image over the methods, in batches of one and of the largest size."""
    batches = _batches(costs)
    ends = sorted({batches[0], batches[-1]})
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
        return [cost.name, *[markdown.DASH] * (8 + len(batches))]
    macs = (cost.macs / 1e9, 2 * cost.macs / 1e9)
    model = None if cost.model_macs is None else cost.model_macs / 1e9
    counts = (number / 1e6 for number in (cost.trainable, cost.backbone, cost.memory))
    times = [
        f"{cost.seconds[batch]:.3f}"
        + (f" / {cost.model_seconds[batch]:.3f}" if cost.model_seconds else "")
        for batch in batches
    ]
    figures = [markdown.number(figure, 2) for figure in (*macs, model, *counts)]
    return [cost.name, cost.note, f"{cost.size}x{cost.size}", *figures, *times]


def _published(cost: Cost, rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    figures = rows.get(cost.name.removeprefix("anomalib "))
    if figures is None:
        return [markdown.DASH] * 3
    times = ", ".join(f"{figures[f'seconds_{batch}']:g}" for batch in (1, 8, 16, 32, 64))
    return [f"{figures['flops']:g}", f"{figures['parameters']:g}", times]
