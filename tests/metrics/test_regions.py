from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from mintad.metrics.regions import label_regions, region_weights

EIGHT = np.ones((3, 3), dtype=int)


def assert_same_regions(mask: np.ndarray) -> None:
    labels, count = label_regions(mask)
    expected, expected_count = ndimage.label(mask, structure=EIGHT)
    assert labels.dtype == np.int32
    assert count == expected_count
    pairs = np.unique(np.stack((labels.ravel(), expected.ravel())), axis=1)
    assert pairs.shape[1] == len(np.unique(labels))  # each label has one partner, and no other


@settings(max_examples=300, deadline=None)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_regions_equal_those_of_scipy(mask: np.ndarray) -> None:
    assert_same_regions(mask)


@pytest.mark.parametrize("density", [0.05, 0.2, 0.35, 0.5, 0.7, 0.95])
def test_large_random_masks(density: float) -> None:
    rng = np.random.default_rng(0)
    assert_same_regions(rng.random((256, 300)) < density)


def test_windings_that_join_late() -> None:
    snake = np.zeros((101, 64), dtype=bool)
    snake[::2] = True
    snake[1::4, -1] = True
    snake[3::4, 0] = True
    assert label_regions(snake)[1] == 1
    assert label_regions(snake.T.copy())[1] == 1
    comb = np.zeros((64, 65), dtype=bool)
    comb[:, ::2] = True
    comb[-1] = True
    assert label_regions(comb)[1] == 1
    spiral = np.zeros((41, 41), dtype=bool)
    for ring in range(0, 20, 2):
        spiral[ring, ring : 41 - ring] = spiral[40 - ring, ring : 41 - ring] = True
        spiral[ring : 41 - ring, ring] = spiral[ring : 41 - ring, 40 - ring] = True
        spiral[ring + 1, ring] = False
        spiral[ring + 2, ring + 1] = True
    assert_same_regions(spiral)


def test_rows_do_not_join_around_the_edge() -> None:
    mask = np.array([[0, 0, 1], [1, 0, 0]], dtype=bool)
    assert label_regions(mask)[1] == 2
    assert label_regions(np.array([[0, 1, 0], [1, 0, 0]], dtype=bool))[1] == 1


def test_numbers_follow_raster_order() -> None:
    mask = np.array([[0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 1, 0]], dtype=bool)
    labels, _ = label_regions(mask)
    assert labels.tolist() == [[0, 0, 0, 1], [2, 0, 0, 0], [2, 0, 3, 0]]


def test_weights_sum_to_one_in_each_region() -> None:
    mask = np.random.default_rng(1).random((64, 48)) < 0.3
    labels, count = label_regions(mask)
    weights, regions = region_weights(mask)
    assert regions == count
    sums = np.bincount(labels[mask], weights=weights)[1:]
    np.testing.assert_allclose(sums, np.ones(count), rtol=1e-12)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (7, 3)])
def test_empty_masks_have_no_region(shape: tuple[int, int]) -> None:
    labels, count = label_regions(np.zeros(shape, dtype=bool))
    assert labels.shape == shape
    assert count == 0
    assert region_weights(np.zeros(shape, dtype=bool))[0].size == 0


def test_a_mask_must_have_two_dimensions() -> None:
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        label_regions(np.zeros((2, 2, 2), dtype=bool))
