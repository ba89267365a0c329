"""The book: every table as Markdown and CSV, made from the folders of its runs and nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mintad.errors import ConfigError
from mintad.metrics import METRICS
from mintad.system.files import write_text
from mintad_lab.bench.bootstrap import Difference, paired_difference
from mintad_lab.bench.results import TABLE_FILE, Finished, Line, read_table
from mintad_lab.studies.setting import Spread

BOOK_FILE = "book.md"
DASH = "–"
NAMES = ("image AUROC", "AP", "F1-max", "pixel AUROC", "AP", "F1-max", "AUPRO")

FOOTNOTE = (
    "Mean over the seeds ± sample standard deviation. Macro is the mean over products, pooled puts "
    "the images of all products together. The last epoch is measured; nothing is chosen on test "
    "images. The interval holds 95% of the differences when the test images of each product are "
    "drawn anew, the same for both: it says nothing of other trainings. Memory is the most that "
    "the process of a run had, its images and its measuring included."
)


def write_book(folder: Path) -> Path:
    """Writes `book.md` and, for each table, `NAME.md`, `NAME.csv` and `NAME-products.csv`.

    The same runs give the same files, to the byte. Raises `ConfigError` where there is no table.
    """
    places = sorted(file.parent for file in folder.glob(f"*/{TABLE_FILE}"))
    if not places:
        raise ConfigError(
            f"{folder} holds no table.",
            "Name the --out folder of mintad-lab bench, or run a table.",
        )
    pages = []
    for place in places:
        table = read_table(place)
        differences = _differences(table)
        page = markdown(table, differences)
        name = table.about["name"]
        _write(folder / f"{name}.md", f"# {page}")
        _write(folder / f"{name}.csv", comma_separated(table, differences))
        _write(folder / f"{name}-products.csv", product_rows(table))
        pages.append(f"## {page}")
    _write(folder / BOOK_FILE, "# The book of benchmarks\n\n" + "\n".join(pages))
    return folder / BOOK_FILE


def markdown(table: Finished, differences: Sequence[Difference | None]) -> str:
    """The table under its question, macro and pooled, with what could not be run below."""
    about = table.about
    several = len(about["cases"]) > 1
    first = ["case"] if several else []
    paper = any(about["paper"].get(line.case, {}).get(line.name) for line in table.lines)
    macro = [
        [*first, "row", "seeds", *NAMES, f"image AUROC, less {about['against']}"]
        + (["in the paper"] if paper else [])
    ]
    pooled = [[*first, "row", *NAMES, "products recognised", *_COSTS]]
    for line, difference in zip(table.lines, differences, strict=True):
        start = [line.case] if several else []
        seeds = ", ".join(str(result["seed"]) for result in line.results)
        figure = about["paper"].get(line.case, {}).get(line.name)
        own = [f"{figure:.3f}" if figure is not None else DASH] if paper else []
        shown = DASH if difference is None else difference.text()
        cells = [_text(line.spread("macro", metric)) for metric in METRICS]
        macro.append([*start, line.name, seeds or "not run", *cells, shown, *own])
        cells = [_text(line.spread("pooled", metric)) for metric in METRICS]
        pooled.append([*start, line.name, *cells, _text(line.accuracy), *_cost_cells(line)])
    parts = [
        about["question"],
        _conditions(table),
        about["note"],
        f"Macro{', with the figures of ' + about['source'] if paper else ''}:",
        _grid(macro),
        "Pooled, and what it cost:",
        _grid(pooled),
        FOOTNOTE,
        _lists(table),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_COSTS = ("training, s", "inspecting, s", "memory, MB", "model, MB")


def _cost_cells(line: Line) -> list[str]:
    size = line.figure("model_bytes")
    megabytes = None if size is None else Spread(size.mean / 1e6, None)
    figures = [line.figure(key) for key in ("seconds", "inspection_seconds", "peak_megabytes")]
    return [*(_text(figure, 0) for figure in figures), _text(megabytes, 1)]


def comma_separated(table: Finished, differences: Sequence[Difference | None]) -> str:
    """Every mean and deviation of the table as CSV."""
    parts = [(part, metric) for part in ("macro", "pooled") for metric in METRICS]
    costs = ("seconds", "inspection_seconds", "peak_megabytes", "model_bytes")
    heads = [f"{part}_{metric}" for part, metric in parts] + ["product_accuracy", *costs]
    header = ["case", "row", "seeds", *(f"{name}{end}" for name in heads for end in ("", "_sd"))]
    rows: list[list[Any]] = [[*header, "difference", "low", "high", "paper", "not_run"]]
    for line, difference in zip(table.lines, differences, strict=True):
        spreads = [line.spread(part, metric) for part, metric in parts]
        spreads += [line.accuracy, *(line.figure(key) for key in costs)]
        cells: list[Any] = [line.case, line.name]
        cells.append(" ".join(str(result["seed"]) for result in line.results))
        for spread in spreads:
            cells += [None, None] if spread is None else [spread.mean, spread.deviation]
        cells += [None, None, None] if difference is None else list(difference)
        cells.append(table.about["paper"].get(line.case, {}).get(line.name))
        rows.append([*cells, line.reason])
    return _csv(rows)


def product_rows(table: Finished) -> str:
    """Every metric of every product, row and seed as CSV."""
    rows: list[list[Any]] = [["case", "row", "seed", "product", "good", "defective", *METRICS]]
    for line in table.lines:
        for result in line.results:
            for product, found in result["evaluation"]["products"].items():
                start = [line.case, line.name, result["seed"], product]
                counts = [found["n_good"], found["n_defect"]]
                rows.append([*start, *counts, *(found[metric] for metric in METRICS)])
    return _csv(rows)


def _differences(table: Finished) -> list[Difference | None]:
    found: list[Difference | None] = []
    for line in table.lines:
        reference = table.reference(line)
        if reference is None:
            found.append(None)
            continue
        theirs = {result["seed"]: result["scores"] for result in reference.results}
        shared = [result for result in line.results if result["seed"] in theirs]
        found.append(
            paired_difference(
                [result["scores"] for result in shared],
                [theirs[result["seed"]] for result in shared],
            )
        )
    return found


def _conditions(table: Finished) -> str:
    """Images, sizes, versions and machines of all finished runs, each named once."""
    results = [result for line in table.lines for result in line.results]
    if not results:
        return "No run is finished."

    def each(values: Iterable[Any]) -> str:
        return " or ".join(sorted({str(value) for value in values if value is not None}))

    evaluations = [result["evaluation"] for result in results]
    products = sorted({product for one in evaluations for product in one["products"]})
    sizes = each("x".join(map(str, one["config"]["evaluation_size"])) for one in evaluations)
    versions = [result["versions"] for result in results]
    machines = [result["machine"] for result in results]
    packages = ", ".join(
        f"{name} {each(found.get(name) for found in versions)}"
        for name in ("mintad", "torch", "anomalib")
        if any(name in found for found in versions)
    )
    times = (
        "Training is timed from the images, the pass of the backbone included."
        if table.about["from_images"]
        else "Features were partly at hand: the seconds of mintad's rows need not hold the "
        "backbone's pass."
    )
    return (
        f"{len(products)} product{'s' * (len(products) != 1)}: {', '.join(products)}; "
        f"{each(one['config']['images'] for one in evaluations)} test images. Maps are compared "
        f"with masks at {sizes}. {packages} (source {each(one.get('git') for one in results)}), "
        f"on {each(one['cores'] for one in machines)} cores of "
        f"{each(one['processor'] for one in machines)}, threads: "
        f"{each(one['threads'] for one in machines)}. {times}"
    )


def _lists(table: Finished) -> str:
    """The recipes of our rows, how peers depart from their papers, and what could not be run."""
    lines = [
        f"- {row['name']}: {row['departs']}."
        for row in table.about["rows"]
        if row["departs"] and not row["separate"]
    ]
    several = len(table.about["cases"]) > 1
    for line in table.lines:
        if line.reason:
            where = f" ({line.case})" if several else ""
            lines.append(f"- {line.name}{where} was not run. {line.reason}")
    return "\n".join(lines)


def _text(spread: Spread | None, digits: int = 3) -> str:
    return DASH if spread is None else spread.text(digits)


def _grid(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write(file: Path, text: str) -> None:
    """Leaves a file alone that already says so."""
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_text(file, text)
