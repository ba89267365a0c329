"""What a case does to the images: the same images every time, whatever the machine."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from mintad.data import Dataset, Sample, cifar10_split
from mintad.errors import DataError
from mintad_lab.experiment.shifting import shifted
from mintad_lab.experiment.table import Case

MOST_CONTAMINATED = 0.1
"""The share for which defects are set aside in every case of the table, so that all cases of a
seed are tested on the same images."""

MANY = "cifar10"
"""The name of the only product of a many-against-many test."""


def make_case(case: Case, dataset: Dataset, seed: int, folder: Path) -> Dataset:
    """The images of a case; what has to be written goes to `folder`.

    With the same seed a smaller amount is a part of a larger one. Raises `DataError` where there
    are too few images for it.
    """
    if case.kind == "few":
        return _few(dataset, int(case.amount), seed)
    if case.kind == "contaminated":
        return _contaminated(dataset, case.amount, seed)
    if case.kind == "mislabelled":
        return _mislabelled(dataset, case.amount, seed)
    if case.kind == "shifted":
        return shifted(dataset, case.name, folder)
    if case.kind == "many":
        return _many(dataset, [int(digit) for digit in case.name])
    return dataset


def _few(dataset: Dataset, count: int, seed: int) -> Dataset:
    kept: set[int] = set()
    for product, numbers in _by_product(dataset, split="train", label=0):
        if len(numbers) < count:
            raise DataError(
                f"The product {product} has only {len(numbers)} good training images, not {count}.",
                "Leave the product out, or name the other cases with --cases.",
            )
        kept.update(_shuffled(numbers, seed, product)[:count])
    samples = [
        sample for number, sample in enumerate(dataset) if number in kept or sample.split == "test"
    ]
    return Dataset(tuple(samples))


def _contaminated(dataset: Dataset, share: float, seed: int) -> Dataset:
    good = {
        product: len(numbers) for product, numbers in _by_product(dataset, split="train", label=0)
    }
    moved: set[int] = set()
    aside: set[int] = set()
    for product, numbers in _by_product(dataset, split="test", label=1):
        order = _shuffled(numbers, seed, product)
        most = min(_added(good.get(product, 0), MOST_CONTAMINATED), len(order) // 2)
        aside.update(order[:most])
        moved.update(order[: min(_added(good.get(product, 0), share), most)])
    samples = []
    for number, sample in enumerate(dataset):
        if number in moved:
            samples.append(replace(sample, split="train", label=0, defect_type="good", mask=None))
        elif number not in aside:
            samples.append(sample)
    return Dataset(tuple(samples))


def _added(good: int, share: float) -> int:
    """Defects that make up `share` of a training set together with `good` images."""
    return round(good * share / (1 - share))


def _mislabelled(dataset: Dataset, share: float, seed: int) -> Dataset:
    products = dataset.train.products
    if len(products) < 2:
        raise DataError(
            "A single product cannot be called another.", "Name images of two products or more."
        )
    other: dict[int, str] = {}
    for product, numbers in _by_product(dataset, split="train", label=0):
        wrong = [name for name in products if name != product]
        names = _random(seed, product, "name").integers(len(wrong), size=len(numbers))
        order = _shuffled(numbers, seed, product)[: round(share * len(numbers))]
        other |= {number: wrong[int(name)] for number, name in zip(order, names, strict=False)}
    return Dataset(
        tuple(
            replace(sample, product=other.get(number, sample.product))
            for number, sample in enumerate(dataset)
        )
    )


def _many(dataset: Dataset, normal: list[int]) -> Dataset:
    """The split; its test images are of one product, for a defect there has none."""
    split = cifar10_split(dataset, normal)
    return Dataset(
        tuple(
            replace(sample, product=MANY) if sample.split == "test" else sample for sample in split
        )
    )


def _by_product(
    dataset: Iterable[Sample], *, split: str, label: int
) -> Iterator[tuple[str, list[int]]]:
    """Each product with the positions of its samples of a split and label."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for number, sample in enumerate(dataset):
        if sample.split == split and sample.label == label:
            groups[sample.product].append(number)
    yield from sorted(groups.items())


def _shuffled(numbers: list[int], seed: int, product: str) -> list[int]:
    order = _random(seed, product, "order").permutation(len(numbers))
    return [numbers[place] for place in order]


def _random(seed: int, product: str, purpose: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(f"{purpose} {product}".encode())])
