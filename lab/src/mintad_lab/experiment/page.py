"""A table as Markdown: what was asked, what came out, what it cost, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mintad.metrics import METRICS, headings
from mintad_lab.experiment.results import Finished, Line, Spread

DASH = "–"
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
    about = table.about
    start = ["case", "row"] if len(about["cases"]) > 1 else ["row"]
    published = table.published
    macro = [
        [
            *start,
            "seeds",
            *headings(),
            f"image AUROC, less {about['against']}",
            *(f"{METRICS[metric].title} in the paper" for metric in published),
        ]
    ]
    pooled = [[*start, *headings(), "products recognised", "product at test time", *COSTS]]
    for line, difference in zip(table.lines, table.differences, strict=True):
        first = [line.case, line.name][-len(start) :]
        seeds = ", ".join(str(result["seed"]) for result in line.results)
        macro.append(
            [
                *first,
                seeds or "not run",
                *(_text(line.spread("macro", metric)) for metric in METRICS),
                DASH if difference is None else difference.text(),
                *(_printed(line, metric) for metric in published),
            ]
        )
        pooled.append(
            [
                *first,
                *(_text(line.spread("pooled", metric)) for metric in METRICS),
                _text(line.accuracy),
                line.product_at_test or DASH,
                *_costs(line),
            ]
        )
    parts = [
        about["question"],
        _conditions(table),
        about["note"],
        f"Macro{', with the figures of ' + about['source'] if published else ''}:",
        _grid(macro),
        "Pooled, and what it cost:",
        _grid(pooled),
        FOOTNOTE,
        _lists(table),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


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
    machines = [result["machine"] for result in results]
    packages = ", ".join(
        f"{name} {each(found.get(name) for found in versions)}"
        for name in ("mintad", "torch", "anomalib")
        if any(name in found for found in versions)
    )
    return (
        f"{len(products)} product{'s' * (len(products) != 1)}: {', '.join(products)}; "
        f"{each(result['training_images'] for result in results)} good training images, "
        f"{each(config['images'] for config in configs)} test images. Maps are compared "
        f"with masks at {sizes}. {packages} (source {each(one.get('git') for one in results)}), "
        f"on {each(one['cores'] for one in machines)} cores of "
        f"{each(one['processor'] for one in machines)}, threads: "
        f"{each(one['threads'] for one in machines)}. "
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


def _printed(line: Line, metric: str) -> str:
    figure = line.published.get(metric)
    return DASH if figure is None else f"{figure:.3f}"


def _grid(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
