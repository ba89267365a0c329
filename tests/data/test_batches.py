from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from mintad.data import (
    MemoryImage,
    Preprocessing,
    Sample,
    dataset_fingerprint,
    image_digests,
    load_batches,
    read,
)
from mintad.errors import ImageError
from mintad.system.threads import map_ahead

INPUT = Preprocessing(height=8, width=8)


@pytest.fixture
def samples(paint):
    return [
        Sample("nut" if seed % 2 else "bolt", "train", MemoryImage(f"image {seed}", paint(seed)))
        for seed in range(11)
    ]


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_batches_keep_order_whatever_the_threads(samples, workers):
    products = ["nut", "bolt"]
    batches = list(load_batches(samples, INPUT, products, batch_size=4, workers=workers))
    assert [len(batch) for batch in batches] == [4, 4, 3]
    assert [sample for batch in batches for sample in batch.samples] == samples
    (reference,) = load_batches(samples, INPUT, products, batch_size=11, workers=0)
    assert np.array_equal(np.concatenate([batch.images for batch in batches]), reference.images)
    assert reference.images.shape == (11, 8, 8, 3)
    assert reference.images.dtype == np.uint8
    assert reference.products.dtype == np.int64
    assert reference.products.tolist() == [1, 0] * 5 + [1]


def test_unknown_products_are_minus_one(samples):
    (batch,) = load_batches(samples, INPUT, ["nut"], batch_size=20)
    assert set(batch.products.tolist()) == {-1, 0}


def test_nothing_gives_no_batch():
    assert list(load_batches([], INPUT, [], batch_size=3)) == []
    with pytest.raises(ValueError, match="batch_size"):
        list(load_batches([], INPUT, [], batch_size=0))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_image_is_named_at_its_turn(samples, workers):
    samples[5] = Sample("nut", "train", MemoryImage("the bad one", b"no image"))
    batches = load_batches(samples, INPUT, ["nut"], batch_size=2, workers=workers)
    assert len(next(batches)) == 2
    assert len(next(batches)) == 2
    with pytest.raises(ImageError, match="the bad one"):
        next(batches)


def test_the_pixel_limit_holds_in_batches(samples):
    small = Preprocessing(height=8, width=8, max_pixels=100)
    with pytest.raises(ImageError, match="limit of 100"):
        next(load_batches(samples, small, ["nut"], batch_size=2))


def test_reading_ahead_is_bounded_and_in_order():
    started: list[int] = []
    lock = threading.Lock()

    def work(item: int) -> int:
        with lock:
            started.append(item)
        time.sleep(0.001 * (item % 3))
        return item

    results = map_ahead(work, range(100), workers=3, ahead=5)
    for taken, result in enumerate(results):
        assert result == taken
        assert len(started) <= taken + 5
    assert sorted(started) == list(range(100))


def test_closing_early_stops_the_work():
    started: list[int] = []
    results = map_ahead(started.append, range(1000), workers=2, ahead=4)
    next(results)
    results.close()
    count = len(started)
    assert count <= 4
    time.sleep(0.02)
    assert len(started) == count


def test_fingerprint_follows_content_not_place(mvtec_tree, tmp_path):
    dataset = read(mvtec_tree)
    before = dataset_fingerprint(dataset)
    assert before == dataset_fingerprint(reversed(dataset.samples), workers=0)
    mvtec_tree.rename(tmp_path / "elsewhere")
    moved = read(tmp_path / "elsewhere")
    assert dataset_fingerprint(moved) == before
    assert dataset_fingerprint(moved.train) != before
    image = tmp_path / "elsewhere/nut/train/good/003.png"
    image.write_bytes(image.read_bytes() + b"\0")
    assert dataset_fingerprint(moved) != before


def test_digests_keep_order(samples):
    digests = image_digests(samples, workers=3)
    assert digests == image_digests(samples, workers=0)
    assert len(set(digests)) == len(samples)
