"""The problems of a data set in the terminal, product by product."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mintad.data import Dataset
from mintad.data.problem import Problem
from mintad.system.words import counted, printable

OTHER = "Other files"


def problems_text(dataset: Dataset, problems: Sequence[Problem]) -> str:
    """A paragraph per product with problems: each one, and below it how to mend it.

    The last line counts them.
    """
    blocks = [
        "\n".join([f"{_on_one_line(product)}: {_counted(group)}", *map(_lines, group)])
        for product, group in group_by_product(dataset, problems).items()
    ]
    products = counted(len(dataset.products), "product")
    total = f"{counted(len(dataset), 'image')} of {products}: {_counted(problems)}"
    return "\n\n".join([*blocks, total])


def left_out_text(dataset: Dataset) -> str:
    """One line that says how many files were not read, and how to see which; "" for none."""
    count = sum(left.count for left in dataset.left_out)
    if not count:
        return ""
    places = counted(len(dataset.left_out), "place")
    return (
        f"{counted(count, 'file')} in {places} under the data were left out, the first: "
        f"{_on_one_line(dataset.left_out[0].message)} `mintad validate` lists them all."
    )


def group_by_product(dataset: Dataset, problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    """The problems of each product that has some, in the order of the products' names.

    A file that belongs to no sample goes to the product whose files lie in the same folder or
    the nearest one above it; to `OTHER`, at the end, where that is not one product.
    """
    owners = {product: product for product in dataset.products}
    folders: dict[Path, set[str]] = {}
    for sample in dataset:
        owners[sample.name] = sample.product
        if sample.mask is not None:
            owners[str(sample.mask)] = sample.product
        for folder in Path(sample.name).parents:
            folders.setdefault(folder, set()).add(sample.product)

    def owner(problem: Problem) -> str:
        if problem.name in owners:
            return owners[problem.name]
        near = next((folders[f] for f in Path(problem.name).parents if f in folders), set())
        return next(iter(near)) if len(near) == 1 else OTHER

    groups: dict[str, list[Problem]] = {product: [] for product in (*dataset.products, OTHER)}
    for problem in problems:
        groups[owner(problem)].append(problem)
    return {product: group for product, group in groups.items() if group}


def _lines(problem: Problem) -> str:
    head = f"  {problem.severity}: "
    message, mend = (_on_one_line(text) for text in (problem.message, problem.mend))
    return f"{head}{message}\n" + textwrap.indent(mend, " " * len(head))


def _on_one_line(text: str) -> str:
    """The text as a terminal shows it; a line break in a file's name begins no new line."""
    return printable(text.replace("\n", "\\n").replace("\t", "\\t"))


def _counted(problems: Sequence[Problem]) -> str:
    counts = Counter(problem.severity for problem in problems)
    parts = [counted(counts[kind], kind) for kind in ("error", "warning") if counts[kind]]
    return ", ".join(parts) or "no problems"
