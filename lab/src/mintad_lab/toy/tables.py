"""The numbers of the toy experiment as rows of text, for the terminal and for Markdown."""

from __future__ import annotations

from statistics import fmean

from mintad_lab.toy.experiment import Outcome, deviation, summary
from mintad_lab.toy.training import Trained

HEADER = (
    "shapes",
    "network",
    "parameters",
    "interference",
    "outside",
    "copied",
    "false alarms",
    "roughness",
)
_SHOWN = ("interference", "outside", "copied", "false_alarms", "roughness")
DASH = "–"


def rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """A row per network, as `HEADER` has it: mean and deviation over the seeds."""
    return [
        (scene, _name(found), f"{found.parameters:,}" if found.parameters else DASH, *_cells(found))
        for scene, networks in outcome.trained.items()
        for found in networks
    ]


def table_text(outcome: Outcome) -> str:
    """The table in columns, for the terminal."""
    lines = [HEADER, *rows(outcome)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def table_markdown(outcome: Outcome) -> str:
    """The table in Markdown."""
    rule = ("---", "---", *["---:"] * (len(HEADER) - 2))
    lines = [HEADER, rule, *rows(outcome)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _name(found: Trained) -> str:
    network = found.network
    size = f" {network.depth}×{network.width}" if network.width else ""
    return f"{network.kind}{size}"


def _cells(found: Trained) -> list[str]:
    mean, spread = summary(found.measures, fmean), summary(found.measures, deviation)
    return [
        DASH if mean[name] is None else f"{mean[name]:.3f} ± {spread[name]:.3f}" for name in _SHOWN
    ]
