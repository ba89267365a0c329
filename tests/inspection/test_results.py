"""What the Inspector makes of a network's output, with numbers worked out by hand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from mintad.errors import ConfigError
from mintad.inspection import Inspection, Inspector

Make = Callable[..., Inspector]
Red = Callable[[list[list[int]]], NDArray[np.uint8]]

SQUARE = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]  # its sum is 120
LOGITS_OF_A_NUT = [0.0, math.log(3)]  # probabilities of 1/4 and 3/4


def test_score_and_map_are_on_the_scale_of_the_given_product(red_inspector: Make, red: Red) -> None:
    (bolt,) = red_inspector(LOGITS_OF_A_NUT)(red(SQUARE), "bolt")
    assert (bolt.product, bolt.product_given, bolt.product_probability) == ("bolt", True, None)
    assert bolt.raw_score == 120
    assert bolt.score == (120 - 2) / 0.5
    assert bolt.anomaly_map is not None
    assert bolt.anomaly_map.dtype == np.float32
    assert_array_equal(bolt.anomaly_map, (np.array(SQUARE) - 2) / 0.5)
    (nut,) = red_inspector(LOGITS_OF_A_NUT)(red(SQUARE), "nut")
    assert nut.score == (120 - 10) / 4
    assert_array_equal(nut.anomaly_map, (np.array(SQUARE) - 10) / 4)


def test_the_most_probable_product_is_recognised(red_inspector: Make, red: Red) -> None:
    (nut,) = red_inspector(LOGITS_OF_A_NUT)(red(SQUARE))
    assert (nut.product, nut.product_given) == ("nut", False)
    assert nut.product_probability == pytest.approx(0.75)
    assert nut.score == (120 - 10) / 4
    (bolt,) = red_inspector([500.0, -500.0])(red(SQUARE))
    assert (bolt.product, bolt.product_probability) == ("bolt", 1.0)
    assert bolt.score == (120 - 2) / 0.5


def test_probabilities_do_not_depend_on_the_other_images_of_a_batch(
    red_inspector: Make, red: Red
) -> None:
    far_apart = [LOGITS_OF_A_NUT, [-5000.0, -5000.0], [5000.0, 4000.0]]
    results = list(red_inspector(far_apart)([red(SQUARE)] * 3))
    probabilities = [result.product_probability for result in results]
    assert probabilities == pytest.approx([0.75, 0.5, 1.0])


def test_without_product_and_logits_the_score_stays_raw(red_inspector: Make, red: Red) -> None:
    (result,) = red_inspector()(red(SQUARE))
    assert (result.product, result.product_given, result.product_probability) == (None, False, None)
    assert result.raw_score == result.score == 120
    assert_array_equal(result.anomaly_map, SQUARE)


@pytest.mark.parametrize(
    ("height", "width", "box"), [(2, 4, (1, 0, 2, 4)), (4, 2, (0, 1, 4, 2)), (8, 4, (0, 1, 4, 2))]
)
def test_a_padded_picture_says_where_it_lies(
    red_inspector: Make, red: Red, height: int, width: int, box: tuple[int, int, int, int]
) -> None:
    (result,) = red_inspector()(red([[8] * width] * height))
    assert (result.size, result.box) == ((height, width), box)
    top, left, inner_height, inner_width = box
    expected = np.zeros((4, 4))
    expected[top : top + inner_height, left : left + inner_width] = 8
    assert_array_equal(result.anomaly_map, expected)


def test_each_image_keeps_its_own_result_in_batches_of_any_size(
    red_inspector: Make, red: Red
) -> None:
    images = [red([[number] * 4] * 4) for number in range(1, 8)]
    products = ["bolt", None, "nut", "nut", None, "bolt", None]
    for size in (1, 2, 3, 7, 20):
        inspector = red_inspector(LOGITS_OF_A_NUT, batch_size=size)
        results = list(inspector(images, products))
        assert [result.raw_score for result in results] == [16 * n for n in range(1, 8)]
        assert [result.product_given for result in results] == [
            name is not None for name in products
        ]
        assert [result.product for result in results] == [name or "nut" for name in products]
        recognised = [result.product_probability for result in results if not result.product_given]
        assert recognised == pytest.approx([0.75] * 3)
        calls = inspector.engine.calls
        assert max(len(batch) for batch, _ in calls) == min(size, 7)
        numbers = np.concatenate([numbers for _, numbers in calls])
        assert numbers.dtype == np.int64
        assert numbers.tolist() == [0, -1, 1, 1, -1, 0, -1]


def test_one_image_is_answered_at_once(red_inspector: Make, red: Red) -> None:
    result = red_inspector(LOGITS_OF_A_NUT).one(red(SQUARE), "bolt")
    assert (result.product, result.score) == ("bolt", 236)
    assert red_inspector(LOGITS_OF_A_NUT).one(red(SQUARE)).product == "nut"


def test_a_product_that_is_not_known_or_not_given_is_refused_before_an_image_is_taken(
    red_inspector: Make, red: Red
) -> None:
    def images() -> Iterator[NDArray[np.uint8]]:
        raise AssertionError("an image was taken")
        yield

    with pytest.raises(ConfigError, match=r"'screw'.*bolt, nut"):
        red_inspector()(images(), "screw")
    with pytest.raises(ConfigError, match="recognises no product"):
        red_inspector(needs_product=True)(images())
    with pytest.raises(ConfigError, match="recognises no product"):
        red_inspector(needs_product=True).one(red(SQUARE))
    with pytest.raises(ConfigError, match=r"'screw'"):
        red_inspector().one(b"no image", "screw")
    with pytest.raises(ConfigError, match=r"3 images cannot be of 2 products"):
        red_inspector()([red(SQUARE)] * 3, ["nut", None])
    with pytest.raises(ValueError, match="shorter"):
        list(red_inspector()(iter([red(SQUARE)] * 3), ["nut", None]))
    with pytest.raises(ConfigError, match=r"'screw'"):
        list(red_inspector()([red(SQUARE)] * 2, ["nut", "screw"]))


def test_an_image_over_the_limit_is_refused(red_inspector: Make, red: Red) -> None:
    assert red_inspector(max_pixels=16).one(red(SQUARE)).error is None
    refused = red_inspector(max_pixels=15).one(red(SQUARE))
    assert "limit of 15" in str(refused.error)
    assert refused.raw_score is None


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_holds_an_image_at_least(red_inspector: Make, size: int) -> None:
    with pytest.raises(ConfigError, match=f"A batch of {size} images"):
        red_inspector(batch_size=size)


def test_a_single_image_at_a_time_gets_the_whole_engine(red_inspector: Make) -> None:
    usual = red_inspector()
    assert (usual.batch_size, usual.workers) == (16, 2)
    assert usual.engine.opened == ("red:float32", False)
    assert red_inspector(batch_size=1, engine="onnx").engine.opened == ("onnx:float32", True)
    assert red_inspector(batch_size=2).engine.opened == ("red:float32", False)


def test_an_endless_stream_is_read_in_bounded_steps(red_inspector: Make, red: Red) -> None:
    taken = 0

    def camera() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        while True:
            taken += 1
            yield red([[taken % 16] * 4] * 4)

    assert len(list(itertools.islice(red_inspector(batch_size=3)(camera()), 10))) == 10
    assert taken < 30


def test_a_result_cannot_be_changed(red_inspector: Make, red: Red) -> None:
    (result,) = red_inspector()(red(SQUARE))
    with pytest.raises(FrozenInstanceError):
        result.score = 0  # type: ignore[misc]
    assert Inspection("a") == Inspection("a", None, False, None, None, None, None, None, None, None)


def test_another_process_opens_it_as_it_was(red_inspector: Make) -> None:
    inspector = red_inspector(engine="onnx", batch_size=3, workers=5, max_pixels=7)
    again, (place,) = inspector.__reduce__()
    assert (again.func, place) == (Inspector, Path("run/bundle").absolute())
    assert again.keywords == {
        "engine": "onnx:float32", "batch_size": 3, "workers": 5, "max_pixels": 7,
    }  # fmt: skip


def test_each_prints_a_short_line(red_inspector: Make, red: Red) -> None:
    inspector = red_inspector(LOGITS_OF_A_NUT, batch_size=3)
    assert repr(inspector) == "Inspector('run/bundle', 2 products, red:float32, batch_size=3)"
    (result,) = inspector(red(SQUARE))
    assert repr(result) == "Inspection('array', product='nut', score=27.5)"
    assert repr(Inspection("a", score=1.23456)) == "Inspection('a', product=None, score=1.235)"
    far = f"{'folder/' * 60}part.png"
    assert repr(Inspection(far)).endswith("folder/part.png', product=None, score=None)")
    failed = Inspection(far, error="It is not an image. " * 40)
    for text in (repr(Inspection(far)), repr(failed)):
        assert len(text) < 200
        assert "\n" not in text
    assert "error='It is not an image." in repr(failed)
