"""A table as Markdown: what was asked, what came out, what it cost, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mintad.metrics import METRICS, headings
from mintad_lab.experiment.results import Finished, Line, Spread
from mintad_lab.markdown import DASH, number
from mintad_lab.markdown import table as markdown_table

COSTS = ("training, s", "inspecting, s", "memory, MB", "model, MB")

FOOTNOTE = (
    "Mean over the seeds ± sample standard deviation. Macro is the mean over products, pooled puts "
    "the images of all products together. The last epoch is measured; nothing is chosen on test "
    "images. The interval holds 95% of the differences when the test images of each product are "
    "drawn anew, the same for both: it says nothing of other trainings. A training that was "
    "interrupted has no seconds. Memory is the most that the process of a run had, its images and "
    "its measuring included."
)
FROM_IMAGES = "Seconds are those from the images, the pass of the backbone included."
FROM_FEATURES = "Features were at hand: the seconds of mintad's rows hold no pass of the backbone."


def markdown(table: Finished) -> str:
    """The table under its question, macro and pooled, with what could not be run below."""
    source = f", with the figures of {table.about['source']}" if table.published else ""
    parts = [
        table.about["question"],
        _conditions(table),
        table.about["note"],
        f"Macro{source}:",
        _macro(table),
        "Pooled, and what it cost:",
        _pooled(table),
        FOOTNOTE,
        _lists(table),
    ]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def _macro(table: Finished) -> str:
    published = table.published
    rows = []
    for line, difference in zip(table.lines, table.differences, strict=True):
        seeds = ", ".join(str(result["seed"]) for result in line.results)
        cells = [_text(line.spread("macro", metric)) for metric in METRICS]
        cells.append(DASH if difference is None else difference.text())
        cells += [number(line.published.get(metric)) for metric in published]
        rows.append([*_names(table, line), seeds or "not run", *cells])
    heads = [*headings(), f"image AUROC, less {table.about['against']}"]
    heads += [f"{METRICS[metric].title} in the paper" for metric in published]
    return markdown_table([*_start(table), "seeds", *heads], rows, words=len(_start(table)) + 1)


def _pooled(table: Finished) -> str:
    rows = []
    for line in table.lines:
        cells = [_text(line.spread("pooled", metric)) for metric in METRICS]
        cells += [_text(line.accuracy), *_costs(line)]
        rows.append([*_names(table, line), line.product_at_test or DASH, *cells])
    words = [*_start(table), "product at test time"]
    heads = [*words, *headings(), "products recognised", *COSTS]
    return markdown_table(heads, rows, words=len(words))


def _start(table: Finished) -> list[str]:
    return ["case", "row"] if table.has_cases else ["row"]


def _names(table: Finished, line: Line) -> list[str]:
    return [line.case, line.name] if table.has_cases else [line.name]


def _costs(line: Line) -> list[str]:
    size = line.figure("model_bytes")
    megabytes = None if size is None else Spread(size.mean / 1e6, None)
    figures = [line.figure(key) for key in ("seconds", "inspection_seconds", "peak_megabytes")]
    return [*(_text(figure, 0) for figure in figures), _text(megabytes, 1)]


def _conditions(table: Finished) -> str:
    """Images, sizes, versions and machines of all finished runs, each named once."""
    results = table.results
    if not results:
        return "No run is finished."

    def each(values: Iterable[Any]) -> str:
        return " or ".join(sorted({str(value) for value in values if value is not None}))

    configs = [result["evaluation"]["config"] for result in results]
    products = sorted({name for result in results for name in result["evaluation"]["products"]})
    sizes = each("x".join(map(str, config["evaluation_size"])) for config in configs)
    versions = [result["versions"] for result in results]
    sources = each(result.get("git") for result in results)
    machines = [result["machine"] for result in results]
    installed = ", ".join(
        f"{name} {each(packages.get(name) for packages in versions)}"
        for name in ("mintad", "torch", "anomalib")
        if any(name in packages for packages in versions)
    )
    return (
        f"{len(products)} product{'s' * (len(products) != 1)}: {', '.join(products)}; "
        f"{each(result['training_images'] for result in results)} good training images, "
        f"{each(config['images'] for config in configs)} test images. Maps are compared "
        f"with masks at {sizes}. {installed} (source {sources}), "
        f"on {each(machine['cores'] for machine in machines)} cores of "
        f"{each(machine['processor'] for machine in machines)}, threads: "
        f"{each(machine['threads'] for machine in machines)}. "
        f"{FROM_IMAGES if table.about['from_images'] else FROM_FEATURES}"
    )


def _lists(table: Finished) -> str:
    """The recipes of our rows, how peers depart from their papers, and what could not be run."""
    lines = [
        f"- {row['name']}: {row['description']}."
        for row in table.about["rows"]
        if row["description"] and not row["separate"]
    ]
    lines += [
        f"- {table.title(line)} was not run. {line.reason}" for line in table.lines if line.reason
    ]
    return "\n".join(lines)


def _text(spread: Spread | None, digits: int = 3) -> str:
    return DASH if spread is None else spread.text(digits)
