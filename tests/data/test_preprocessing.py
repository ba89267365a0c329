from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mintad.data import Preprocessing, content_box, normalise, prepare_image, prepare_mask

sides = st.integers(1, 90)
settings_of_inputs = st.builds(
    Preprocessing,
    height=st.integers(1, 64),
    width=st.integers(1, 64),
    resize=st.sampled_from(["stretch", "pad"]),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
)


@settings(max_examples=150, deadline=None)
@given(height=sides, width=sides, preprocessing=settings_of_inputs)
def test_image_box_and_mask_agree(height, width, preprocessing):
    white = np.full((height, width, 3), 255, np.uint8)
    top, left, inner_height, inner_width = content_box((height, width), preprocessing)
    expected = np.zeros((preprocessing.height, preprocessing.width), bool)
    expected[top : top + inner_height, left : left + inner_width] = True
    assert expected.sum() == inner_height * inner_width > 0
    prepared = prepare_image(white, preprocessing)
    assert prepared.dtype == np.uint8
    assert prepared.shape == (preprocessing.height, preprocessing.width, 3)
    assert prepared.flags.c_contiguous
    assert np.array_equal((prepared == 255).all(axis=2), expected)
    assert np.array_equal(prepare_mask(np.ones((height, width), bool), preprocessing), expected)


@settings(max_examples=150, deadline=None)
@given(height=sides, width=sides, preprocessing=settings_of_inputs)
def test_padding_keeps_the_aspect_and_the_centre(height, width, preprocessing):
    padded = preprocessing.model_copy(update={"resize": "pad"})
    top, left, inner_height, inner_width = content_box((height, width), padded)
    scale = min(padded.height / height, padded.width / width)
    assert abs(inner_height - height * scale) <= max(0.5, 1 - height * scale) + 1e-9
    assert abs(inner_width - width * scale) <= max(0.5, 1 - width * scale) + 1e-9
    assert inner_height == padded.height or inner_width == padded.width
    assert 0 <= (padded.height - inner_height) - 2 * top <= 1
    assert 0 <= (padded.width - inner_width) - 2 * left <= 1


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 20), width=st.integers(1, 20), factor=st.integers(1, 3))
def test_mask_corners_land_where_the_image_puts_them(height, width, factor):
    preprocessing = Preprocessing(height=height * factor, width=width * factor, resize="pad")
    rng = np.random.default_rng(height * 31 + width)
    mask = rng.random((height, width)) > 0.5
    expected = mask.repeat(factor, axis=0).repeat(factor, axis=1)
    assert np.array_equal(prepare_mask(mask, preprocessing), expected)


def test_an_image_of_the_right_size_is_untouched_and_copied(paint):
    image = paint(0, 20, 30)
    prepared = prepare_image(image, Preprocessing(height=20, width=30))
    assert np.array_equal(prepared, image)
    assert not np.shares_memory(prepared, image)


def test_stretch_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    prepared = prepare_image(stripes, Preprocessing(height=8, width=8))
    assert np.abs(prepared - 127.5).max() <= 8


def test_preparing_is_deterministic(paint):
    for resize in ("stretch", "pad"):
        preprocessing = Preprocessing(height=33, width=21, resize=resize)
        first = prepare_image(paint(5, 70, 81), preprocessing)
        assert np.array_equal(first, prepare_image(paint(5, 70, 81), preprocessing))


def test_known_boxes():
    pad = Preprocessing(height=224, width=224, resize="pad")
    assert content_box((100, 200), pad) == (56, 0, 112, 224)
    assert content_box((200, 100), pad) == (0, 56, 224, 112)
    assert content_box((1, 1000), pad) == (111, 0, 1, 224)
    assert content_box((100, 200), Preprocessing()) == (0, 0, 224, 224)


def test_padding_has_the_mean_colour(paint):
    preprocessing = Preprocessing(height=8, width=16, resize="pad", mean=(10.4, 20.6, 30.0))
    prepared = prepare_image(paint(0, 8, 8), preprocessing)
    assert np.array_equal(prepared[:, 4:12], paint(0, 8, 8))
    assert (prepared[:, :4] == (10, 21, 30)).all()
    assert (prepared[:, 12:] == (10, 21, 30)).all()


def test_normalise(paint):
    preprocessing = Preprocessing(mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0))
    images = np.stack([paint(0), paint(1)])
    normalised = normalise(images, preprocessing)
    assert normalised.dtype == np.float32
    assert normalised.flags.c_contiguous
    expected = ((images - np.array([1.0, 2.0, 3.0])) / [4.0, 5.0, 6.0]).transpose(0, 3, 1, 2)
    assert np.allclose(normalised, expected, rtol=1e-6)
    assert np.array_equal(normalise(images[1:], preprocessing), normalised[1:])


@pytest.mark.parametrize(
    "fields",
    [
        {"height": 0},
        {"resize": "crop"},
        {"std": (1.0, 0.0, 1.0)},
        {"std": (1.0, float("nan"), 1.0)},
        {"mean": (0.4, 0.4, 300.0)},
        {"max_pixels": 0},
        {"colour": "grey"},
    ],
)
def test_wrong_settings_are_refused(fields):
    with pytest.raises(ValidationError):
        Preprocessing(**fields)


def test_settings_survive_json_and_cannot_change():
    preprocessing = Preprocessing(height=100, resize="pad")
    assert Preprocessing.model_validate_json(preprocessing.model_dump_json()) == preprocessing
    with pytest.raises(ValidationError):
        preprocessing.height = 3  # type: ignore[misc]


def shrink(mask: np.ndarray, size: int) -> np.ndarray:
    return prepare_mask(mask, Preprocessing(height=size, width=size))


@pytest.mark.parametrize("size", [64, 100, 224, 320])
def test_a_spot_finer_than_a_cell_stays_where_it_is(size):
    for top, left, side in ((1501, 2001, 6), (0, 0, 1), (2999, 3999, 1), (1, 3990, 2)):
        mask = np.zeros((3000, 4000), bool)
        mask[top : top + side, left : left + side] = True
        rows, columns = np.nonzero(shrink(mask, size))
        assert 1 <= len(rows) <= 4
        assert abs((rows.mean() + 0.5) * 3000 / size - (top + side / 2)) <= 3000 / size
        assert abs((columns.mean() + 0.5) * 4000 / size - (left + side / 2)) <= 4000 / size


def test_a_spot_beside_a_large_defect_stays_and_the_large_one_is_as_before():
    mask = np.zeros((2240, 2240), bool)
    mask[100:900, 100:901] = True
    mask[1001, 1002] = True
    large = mask.copy()
    large[1001, 1002] = False
    nearest = large[5::10, 5::10]
    assert np.array_equal(shrink(large, 224), nearest)
    nearest = nearest.copy()
    nearest[100, 100] = True
    assert np.array_equal(shrink(mask, 224), nearest)


def test_a_scratch_finer_than_a_cell_stays_whole():
    mask = np.zeros((2240, 2240), bool)
    places = np.arange(200, 2000)
    mask[places, places * 2 // 3] = True
    cells = np.zeros((224, 224), bool)
    cells[places // 10, places * 2 // 3 // 10] = True
    assert mask[5::10, 5::10].sum() < cells.sum() / 4
    assert np.array_equal(shrink(mask, 224), cells)
    mask[:] = False
    mask[:, 1003] = True  # no centre of a cell lies on it
    assert np.array_equal(np.nonzero(shrink(mask, 224).any(axis=0))[0], [100])
    assert shrink(mask, 224).sum() == 224


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    share=st.sampled_from([0.002, 0.02, 0.2, 0.6]),
)
def test_no_region_is_lost_and_nothing_is_added_where_none_would_be(
    seed, height, width, size, share
):
    mask = np.random.default_rng(seed).random((height, width)) < share
    preprocessing = Preprocessing(height=size[0], width=size[1])
    prepared = prepare_mask(mask, preprocessing)
    rows, columns = (
        (2 * np.arange(target) + 1) * source // (2 * target)
        for target, source in zip(size, mask.shape, strict=True)
    )
    nearest = mask[rows[:, None], columns]
    assert not (nearest & ~prepared).any()
    labels, count = scipy.ndimage.label(mask, np.ones((3, 3)))
    added = np.zeros(size, bool)
    for number in range(1, count + 1):
        region_rows, region_columns = np.nonzero(labels == number)
        cells = np.zeros(size, bool)
        cells[
            (2 * region_rows + 1) * size[0] // (2 * height),
            (2 * region_columns + 1) * size[1] // (2 * width),
        ] = True
        shrinks = size[0] < height or size[1] < width
        if shrinks and 2 * (nearest & cells).sum() < cells.sum():
            added |= cells
    assert np.array_equal(prepared, nearest | added)


LIMITS = {"height": (1, 16384), "width": (1, 16384), "bit_depth": (9, 15), "max_pixels": (1, None)}


@pytest.mark.parametrize("field", LIMITS)
def test_a_field_takes_its_limits_and_nothing_beyond(field):
    lowest, highest = LIMITS[field]
    for value in (lowest, highest):
        if value is not None:
            assert getattr(Preprocessing(**{field: value}), field) == value
    for value in (lowest - 1, None if highest is None else highest + 1):
        if value is not None:
            with pytest.raises(ValidationError):
                Preprocessing(**{field: value})


def test_a_mean_may_be_black_or_white():
    assert Preprocessing(mean=(0, 128, 255)).mean == (0, 128, 255)
    for outside in (-0.1, 255.1):
        with pytest.raises(ValidationError, match="0 to 255"):
            Preprocessing(mean=(128, outside, 128))


def test_the_default_is_the_normalisation_of_imagenet():
    fractions = Preprocessing()
    assert np.array(fractions.mean) / 255 == pytest.approx([0.485, 0.456, 0.406])
    assert np.array(fractions.std) / 255 == pytest.approx([0.229, 0.224, 0.225])
