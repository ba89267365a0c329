"""Writes what a study found: a table as Markdown and CSV, every number as JSON, a plot as SVG."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mintad.system.files import write_json, write_text
from mintad.system.processor import measured_on
from mintad_lab.studies.plot import row_plot
from mintad_lab.studies.setting import Row, Spread

DASH = "–"

NAMES = {"i_auroc": "image AUROC", "p_ap": "P-AP"}
"""The metrics that the paper gives, as the table calls them."""


class Column(NamedTuple):
    """A column of numbers: its heading, its key in the CSV file, its value, and its digits."""

    heading: str
    key: str
    value: Callable[[Row], Spread | None]
    digits: int = 3


COLUMNS = (
    Column("image AUROC, macro", "i_auroc", lambda row: row.spread("i_auroc")),
    Column("image AUROC, pooled", "i_auroc_pooled", lambda row: row.spread("i_auroc", "pooled")),
    Column("P-AUROC", "p_auroc", lambda row: row.spread("p_auroc")),
    Column("P-AP", "p_ap", lambda row: row.spread("p_ap")),
    Column("AUPRO", "aupro", lambda row: row.spread("aupro")),
    Column("product accuracy", "product_accuracy", lambda row: row.accuracy),
    Column("training, s", "training_seconds", lambda row: row.seconds, 0),
)


def write_table(
    rows: Sequence[Row], out: str | Path, name: str, *, title: str = "", paper: str = "the paper"
) -> Path:
    """Writes `name.md`, `.csv`, `.json` and `.svg` into `out`; the path of the first.

    `paper` says which table the published figures are from and what they were measured on.
    """
    out = Path(out)
    write_text(out / f"{name}.md", markdown(rows, title=title or name, paper=paper))
    write_text(out / f"{name}.csv", comma_separated(rows))
    write_json(out / f"{name}.json", as_json(rows, title=title or name, paper=paper))
    write_text(out / f"{name}.svg", row_plot(rows, title=title or name, paper=paper))
    return out / f"{name}.md"


def markdown(rows: Sequence[Row], *, title: str, paper: str) -> str:
    """The table with what it was made of above, and what could not run below."""
    published = _published(rows)
    headings = [
        "row",
        "seeds",
        *(column.heading for column in COLUMNS),
        "product at test time",
        *(f"{NAMES.get(metric, metric)} in the paper ({paper})" for metric in published),
    ]
    lines = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    for row in rows:
        spreads = [(column.value(row), column.digits) for column in COLUMNS]
        cells = [
            row.setting.name,
            ", ".join(str(result["seed"]) for result in row.results) or DASH,
            *(DASH if spread is None else spread.text(digits) for spread, digits in spreads),
            row.product_at_test or DASH,
            *(_figure(row, metric) for metric in published),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    missing = [f"- {row.setting.name} was not run. {row.reason}" for row in rows if row.reason]
    parts = [f"# {title}", _conditions(rows), "\n".join(lines), NOTES, "\n".join(missing)]
    return "\n\n".join(part for part in parts if part) + "\n"


NOTES = (
    "Mean over the seeds ± sample standard deviation. Macro is the mean over products, pooled "
    "puts all images on one scale; pixel metrics are macro. Training counts the seconds of a "
    "training whose features are at hand; a training that was interrupted has none. The last "
    "epoch is measured; nothing is chosen on test images."
)


def comma_separated(rows: Sequence[Row]) -> str:
    """The table as CSV: mean and deviation of each number in columns of their own."""
    published = _published(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    numbers = [f"{column.key}{part}" for column in COLUMNS for part in ("", "_deviation")]
    ends = ["product_at_test", *(f"paper_{metric}" for metric in published), "not_run"]
    writer.writerow(["row", "seeds", *numbers, *ends])
    for row in rows:
        cells: list[Any] = [row.setting.name, " ".join(str(one["seed"]) for one in row.results)]
        for column in COLUMNS:
            spread = column.value(row)
            cells += [None, None] if spread is None else [spread.mean, spread.deviation]
        cells += [row.product_at_test]
        cells += [row.setting.published.get(metric) for metric in published]
        writer.writerow([*cells, row.reason])
    return text.getvalue()


def as_json(rows: Sequence[Row], *, title: str, paper: str) -> dict[str, Any]:
    """Every number of every row and seed."""
    return {
        "title": title,
        "paper": paper,
        "machine": measured_on(),
        "rows": [
            {
                "name": row.setting.name,
                "recipe": str(row.setting.recipe),
                "overrides": list(row.setting.overrides),
                "separate": row.setting.separate,
                "published": dict(row.setting.published),
                "product_at_test": row.product_at_test,
                "not_run": row.reason,
                "results": list(row.results),
            }
            for row in rows
        ],
    }


def _published(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(metric for row in rows for metric in row.setting.published))


def _figure(row: Row, metric: str) -> str:
    figure = row.setting.published.get(metric)
    return DASH if figure is None else f"{figure:.3f}"


def _conditions(rows: Sequence[Row]) -> str:
    """What all rows have in common, in a sentence or two; values that differ are all named."""
    results = [result for row in rows for result in row.results]
    if not results:
        return "No row is finished."
    evaluations = [result["evaluation"] for result in results]

    def all_of(values: Sequence[Any]) -> str:
        return " or ".join(dict.fromkeys(map(str, values)))

    products = list(evaluations[0]["products"])
    few = len(products) <= 8
    names = f": {', '.join(products)}" if few else ""
    size = all_of(["x".join(map(str, one["config"]["evaluation_size"])) for one in evaluations])
    about = measured_on()
    return (
        f"{len(products)} product{'s' * (len(products) != 1)}{names}. "
        f"{all_of([one['training_images'] for one in results])} good training images, "
        f"{all_of([one['config']['images'] for one in evaluations])} test images. Recipe "
        f"{all_of([one['recipe']['name'] for one in results])}, "
        f"{all_of([one['recipe']['training']['epochs'] for one in results])} epochs, backbone "
        f"{all_of([one['recipe']['backbone']['name'] for one in results])}. Maps are compared "
        f"with masks at {size}. "
        f"mintad {all_of([one['versions']['mintad'] for one in results])} "
        f"({all_of([one['git'] for one in results])}), "
        f"torch {all_of([one['versions'].get('torch') for one in results])}, on "
        f"{about['threads']} of {about['cores']} cores."
    )
