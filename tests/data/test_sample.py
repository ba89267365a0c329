"""Samples and data sets: their parts and what they print."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mintad.data import Batch, Dataset, MemoryImage, Sample


def sample(number: int, split: str = "train", label: int | None = 0, product: str = "nut"):
    return Sample(product, split, Path(f"{number}.png"), label)


def test_good_are_the_training_images_that_are_good() -> None:
    samples = (sample(0), sample(1, label=1), sample(2, label=None), sample(3, "test"), sample(4))
    dataset = Dataset(samples, roots=(Path("data"),))
    assert dataset.good.samples == (samples[0], samples[4])
    assert dataset.train.samples == (samples[0], samples[1], samples[2], samples[4])
    assert dataset.test.samples == (samples[3],)


def test_each_prints_a_short_line() -> None:
    samples = tuple(sample(number, product=f"p{number % 5}") for number in range(1261))
    samples += tuple(sample(number, "test") for number in range(983))
    assert repr(Dataset(samples)) == "Dataset(6 products, 1261 train, 983 test)"
    assert repr(Dataset(samples[:1])) == "Dataset(1 product, 1 train, 0 test)"
    assert repr(MemoryImage("a.png", b"\0" * 9999)) == "MemoryImage(name='a.png')"
    batch = Batch(samples[:2], np.zeros((2, 48, 64, 3), np.uint8), np.zeros(2, np.int64))
    assert repr(batch) == "Batch(2 images, 48 x 64)"
