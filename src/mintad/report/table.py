"""An evaluation as rows of formatted cells, for the page and for the terminal alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mintad.errors import DataError

DASH = "–"
UNKNOWN_REASON = "The evaluation does not say why this is undefined."


@dataclass(frozen=True, slots=True)
class Metric:
    """One of the seven metrics: its key in the evaluation, its name and its group."""

    key: str
    name: str
    group: str
    floor: float
    meaning: str


METRICS: tuple[Metric, ...] = (
    Metric(
        "i_auroc",
        "AUROC",
        "Image",
        0.5,
        "How often a defective image scores higher than a good one; 0.5 is chance.",
    ),
    Metric(
        "i_ap",
        "AP",
        "Image",
        0.0,
        "Average precision over images: precision averaged over all shares of defects found.",
    ),
    Metric(
        "i_f1max",
        "F1-max",
        "Image",
        0.0,
        "The best balance of precision and recall that any threshold on the image score reaches.",
    ),
    Metric("p_auroc", "AUROC", "Pixel", 0.5, "The same as for images, for every pixel of the map."),
    Metric(
        "p_ap",
        "AP",
        "Pixel",
        0.0,
        "Average precision over pixels; strict, because few pixels are defective.",
    ),
    Metric(
        "p_f1max",
        "F1-max",
        "Pixel",
        0.0,
        "The best balance of precision and recall over pixels.",
    ),
    Metric(
        "aupro",
        "AUPRO",
        "Pixel",
        0.0,
        "How much of each defect is covered, every defect counting the same whatever its size, "
        "up to 30 % false positive pixels.",
    ),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the table; `reason` and `note` say why there is none."""

    metric: Metric
    value: float | None
    text: str
    tint: float = 0.0
    reason: str | None = None
    note: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One product, or an aggregate over all of them."""

    name: str
    cells: tuple[Cell, ...]
    good: int
    defective: int


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of an evaluation, and the numbered reasons of what is undefined."""

    products: tuple[Row, ...]
    macro: Row
    pooled: Row
    notes: tuple[str, ...]


def build_table(evaluation: Mapping[str, Any]) -> Table:
    """Rows of an evaluation in its own order of products.

    Raises DataError if it has no products.
    """
    products = evaluation.get("products")
    if not isinstance(products, Mapping) or not products:
        raise DataError(
            "The evaluation lists no products.",
            "Make it with: mintad evaluate BUNDLE DATA --json FILE",
        )
    notes: list[str] = []
    rows = tuple(
        _row(name, entry, int(entry.get("n_good", 0)), int(entry.get("n_defect", 0)), notes)
        for name, entry in products.items()
    )
    good, defective = sum(row.good for row in rows), sum(row.defective for row in rows)
    macro = _row("Macro mean", evaluation.get("macro") or {}, good, defective, notes)
    pooled = _row("Pooled", evaluation.get("pooled") or {}, good, defective, notes)
    return Table(rows, macro, pooled, tuple(notes))


def _row(name: str, entry: Mapping[str, Any], good: int, defective: int, notes: list[str]) -> Row:
    reasons = entry.get("undefined") or {}
    cells = tuple(_cell(metric, entry.get(metric.key), reasons, notes) for metric in METRICS)
    return Row(name, cells, good, defective)


def _cell(
    metric: Metric, value: float | None, reasons: Mapping[str, str], notes: list[str]
) -> Cell:
    if value is None or not math.isfinite(value):
        reason = reasons.get(metric.key, UNKNOWN_REASON)
        if reason not in notes:
            notes.append(reason)
        return Cell(metric, None, DASH, reason=reason, note=notes.index(reason) + 1)
    share = (value - metric.floor) / (1 - metric.floor)
    return Cell(metric, value, f"{value:.3f}", tint=round(min(max(share, 0.0), 1.0) ** 2, 3))
