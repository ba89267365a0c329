"""The files of a table and the book of all, made from the folders of runs and nothing else."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mintad.errors import ConfigError
from mintad.metrics import METRICS
from mintad.system import write_text
from mintad_lab.drawing.dot_plot import Mark, dot_plot
from mintad_lab.experiment.page import markdown
from mintad_lab.experiment.results import TABLE_FILE, Finished, Line, read_table

BOOK_FILE = "book.md"


def write_book(folder: Path) -> Path:
    """Writes `book.md` and the files of each table in `folder`; the path of the book.

    The same runs give the same files, to the byte. Raises `ConfigError` where there is no table.
    """
    places = sorted(file.parent for file in folder.glob(f"*/{TABLE_FILE}"))
    if not places:
        raise ConfigError(
            f"{folder} holds no table.", "Name the --out folder of mintad-lab run, or run a table."
        )
    pages = [write_table(place).read_text(encoding="utf-8") for place in places]
    _write(folder / BOOK_FILE, "# The book of benchmarks\n\n#" + "\n#".join(pages))
    return folder / BOOK_FILE


def write_table(place: Path) -> Path:
    """Writes the table in the folder `place` beside it; the path of `NAME.md`.

    `NAME.csv` holds every mean and deviation, `NAME-products.csv` every metric of every product,
    row and seed, `NAME.json` all that was found but image scores, `NAME.svg` a plot.
    """
    table = read_table(place)
    path = place.parent / table.about["name"]
    page = path.with_name(f"{path.name}.md")
    _write(page, f"# {markdown(table)}")
    _write(path.with_name(f"{path.name}.csv"), comma_separated(table))
    _write(path.with_name(f"{path.name}-products.csv"), product_rows(table))
    _write(path.with_name(f"{path.name}.json"), as_json(table))
    _write(path.with_name(f"{path.name}.svg"), plot(table))
    return page


def comma_separated(table: Finished) -> str:
    """Every mean and deviation of the table as CSV."""
    parts = [(part, metric) for part in ("macro", "pooled") for metric in METRICS]
    costs = ("seconds", "inspection_seconds", "peak_megabytes", "model_bytes")
    heads = [f"{part}_{metric}" for part, metric in parts] + ["product_accuracy", *costs]
    header = ["case", "row", "seeds", *(f"{name}{end}" for name in heads for end in ("", "_sd"))]
    header += ["product_at_test", "difference", "low", "high"]
    rows: list[list[Any]] = [
        [*header, *(f"paper_{metric}" for metric in table.published), "not_run"]
    ]
    for line, difference in zip(table.lines, table.differences, strict=True):
        spreads = [line.spread(part, metric) for part, metric in parts]
        spreads += [line.accuracy, *(line.figure(key) for key in costs)]
        cells: list[Any] = [line.case, line.name]
        cells.append(" ".join(str(result["seed"]) for result in line.results))
        for spread in spreads:
            cells += [None, None] if spread is None else [spread.mean, spread.deviation]
        cells += [line.product_at_test, *(difference or (None, None, None))]
        rows.append(
            [*cells, *(line.published.get(metric) for metric in table.published), line.reason]
        )
    return _csv(rows)


def product_rows(table: Finished) -> str:
    """Every metric of every product, row and seed as CSV."""
    rows: list[list[Any]] = [["case", "row", "seed", "product", "good", "defective", *METRICS]]
    for result in table.results:
        for product, metrics in result["evaluation"]["products"].items():
            start = [result["case"], result["row"], result["seed"], product]
            counts = [metrics["n_good"], metrics["n_defect"]]
            rows.append([*start, *counts, *(metrics[metric] for metric in METRICS)])
    return _csv(rows)


def as_json(table: Finished) -> str:
    """Every number of every case, row and seed, but the image scores."""
    results = [
        {key: value for key, value in result.items() if key != "scores"} for result in table.results
    ]
    return json.dumps({**table.about, "results": results}, indent=2, allow_nan=False) + "\n"


def plot(table: Finished) -> str:
    """Image AUROC of every line, macro and pooled, with bars of deviation; the paper's beside."""
    kinds = ["macro", "pooled"]
    if "i_auroc" in table.published:
        kinds.append(f"paper ({table.about['source']})")
    words = []
    for line in table.lines:
        macro = line.spread("macro", "i_auroc")
        if line.results:
            text = "undefined" if macro is None else f"image AUROC {macro.text()}"
            words.append(f"{table.title(line)}: {text}.")
    lines = [(table.title(line), _marks(line)) for line in table.lines]
    return dot_plot(lines, kinds, table.about["question"], "image AUROC", " ".join(words))


def _marks(line: Line) -> list[Mark]:
    spreads = [line.spread(part, "i_auroc") for part in ("macro", "pooled")]
    marks = [
        Mark(spread.mean, spread.deviation or 0.0, kind)
        for kind, spread in enumerate(spreads)
        if spread is not None
    ]
    figure = line.published.get("i_auroc")
    return marks if figure is None else [*marks, Mark(figure, 0.0, 2)]


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write(file: Path, text: str) -> None:
    """Leaves a file alone that already says so."""
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_text(file, text)
