"""What the cases of a table do to the images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mintad.data import Dataset, MemoryImage, Sample, decode_image, decode_mask, read
from mintad.data.layouts.cifar10 import CLASSES
from mintad.errors import DataError
from mintad_lab.experiment.cases import MANY, make_case
from mintad_lab.experiment.shifting import SHIFTS
from mintad_lab.experiment.table import Case


def line(good: int = 40, defects: int = 12) -> Dataset:
    samples = []
    for product in ("nut", "bolt", "washer"):
        for split, label, count in (("train", 0, good), ("test", 0, 5), ("test", 1, defects)):
            samples += [
                Sample(product, split, Path(f"{product}-{split}-{label}-{i}"), label)  # type: ignore[arg-type]
                for i in range(count)
            ]
    return Dataset(tuple(samples))


def names(dataset: Dataset) -> set[str]:
    return {sample.name for sample in dataset}


def test_fewer_images_are_a_part_of_more(tmp_path: Path) -> None:
    dataset = line()
    four, sixteen = (
        make_case(Case("few", "few", count), dataset, 0, tmp_path) for count in (4, 16)
    )
    assert Counter(sample.product for sample in four.train) == dict.fromkeys(dataset.products, 4)
    assert names(four.train) < names(sixteen.train)
    assert names(four.test) == names(dataset.test)
    other = make_case(Case("few", "few", 4), dataset, 1, tmp_path)
    assert names(other.train) != names(four.train)
    assert make_case(Case("few", "few", 4), dataset, 0, tmp_path) == four
    with pytest.raises(DataError, match="only 40"):
        make_case(Case("few", "few", 64), dataset, 0, tmp_path)


def test_contamination_adds_defects_that_no_case_is_tested_on(tmp_path: Path) -> None:
    dataset = line()
    cases = [
        make_case(Case("x", "contaminated", share), dataset, 0, tmp_path)
        for share in (0.0, 0.05, 0.1)
    ]
    assert [len(case.train) for case in cases] == [120, 126, 132]  # 2 of 42, 4 of 44
    assert len({frozenset(names(case.test)) for case in cases}) == 1
    added = names(cases[2].train) - names(cases[0].train)
    assert names(cases[1].train) - names(cases[0].train) < added
    assert not added & names(cases[2].test)
    assert {sample.label for sample in cases[2].train} == {0}


def test_mislabelling_moves_training_images_alone(tmp_path: Path) -> None:
    dataset = line()
    shares = (0.05, 0.2)
    made = [make_case(Case("x", "mislabelled", share), dataset, 0, tmp_path) for share in shares]
    wrong = [
        {new.name for old, new in zip(dataset, case, strict=True) if old.product != new.product}
        for case in made
    ]
    assert [len(one) for one in wrong] == [6, 24]
    assert wrong[0] < wrong[1] < names(dataset.train)
    single = dataset.where(lambda sample: sample.product == "nut")
    with pytest.raises(DataError, match="single product"):
        make_case(Case("x", "mislabelled", 0.2), single, 0, tmp_path)


def test_many_against_many_has_one_product_at_test(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    dataset = Dataset(
        tuple(
            Sample(name, split, MemoryImage(f"{split} {name}", pixels))  # type: ignore[arg-type]
            for split in ("train", "test")
            for name in CLASSES
        )
    )
    case = make_case(Case("02468", "many"), dataset, 0, tmp_path)
    assert len(case.train.products) == 5
    assert case.test.products == (MANY,)
    assert Counter(sample.label for sample in case.test) == {0: 5, 1: 5}


@pytest.mark.parametrize("kind", SHIFTS)
def test_a_shift_changes_test_images_with_their_masks(
    kind: str, tree: Path, tmp_path: Path
) -> None:
    dataset = read(tree)
    case = make_case(Case(kind, "shifted"), dataset, 0, tmp_path)
    for old, new in zip(dataset, case, strict=True):
        if old.split == "train":
            assert new is old
            continue
        before, after = decode_image(old.image), decode_image(new.image)
        assert before.shape == after.shape
        assert not np.array_equal(before, after)
        if old.mask is not None and new.mask is not None:
            marks = [decode_mask(mask) for mask in (old.mask, new.mask)]
            overlap = (marks[0] & marks[1]).sum() / (marks[0] | marks[1]).sum()
            assert overlap == 1 if kind in ("brighter", "darker", "blurred") else overlap > 0.5
    again = make_case(Case(kind, "shifted"), dataset, 0, tmp_path / "again")
    for one, other in zip(case.test, again.test, strict=True):
        assert np.array_equal(decode_image(one.image), decode_image(other.image))
