"""An evaluation as rows of formatted cells, for the page and for the terminal alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mintad.metrics import METRICS, Metric, MetricTable

DASH = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the table; `reason` and the number of its `note` say why there is none."""

    metric: Metric
    value: float | None
    text: str
    tint: float = 0.0
    reason: str | None = None
    note: int | None = None


@dataclass(frozen=True, slots=True)
class TableRow:
    """One product, or an aggregate over all of them; `cells` has a cell for each metric's key."""

    name: str
    cells: Mapping[str, Cell]
    good: int
    defective: int


@dataclass(frozen=True, slots=True)
class EvaluationTable:
    """All rows of an evaluation, and the numbered reasons of what is undefined."""

    products: tuple[TableRow, ...]
    macro: TableRow
    pooled: TableRow
    notes: tuple[str, ...]


def build_table(metrics: MetricTable) -> EvaluationTable:
    """Rows of an evaluation in its own order of products."""
    notes: list[str] = []

    def row(
        name: str,
        values: Mapping[str, float | None],
        reasons: Mapping[str, str],
        good: int,
        defective: int,
    ) -> TableRow:
        cells = {key: _cell(METRICS[key], values[key], reasons, notes) for key in METRICS}
        return TableRow(name, cells, good, defective)

    rows = tuple(
        row(name, product.values, product.undefined, product.n_good, product.n_defect)
        for name, product in metrics.products.items()
    )
    pooled = metrics.pooled
    counts = pooled.n_good, pooled.n_defect
    return EvaluationTable(
        rows,
        row("Macro mean", metrics.macro, metrics.macro_undefined, *counts),
        row("Pooled", pooled.values, pooled.undefined, *counts),
        tuple(notes),
    )


def _cell(
    metric: Metric, value: float | None, reasons: Mapping[str, str], notes: list[str]
) -> Cell:
    if value is None:
        reason = reasons[metric.key]
        if reason not in notes:
            notes.append(reason)
        return Cell(metric, None, DASH, reason=reason, note=notes.index(reason) + 1)
    share = (value - metric.chance) / (1 - metric.chance)
    return Cell(metric, value, f"{value:.3f}", tint=round(min(max(share, 0.0), 1.0) ** 2, 3))
