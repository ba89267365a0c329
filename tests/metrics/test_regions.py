from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from mintad.metrics.regions import region_weights

EIGHT = np.ones((3, 3), dtype=int)


def assert_same_regions(mask: np.ndarray) -> None:
    labels, count = ndimage.label(mask, structure=EIGHT)
    sizes = np.bincount(labels[mask], minlength=count + 1)
    weights = region_weights(mask)
    np.testing.assert_array_equal(weights, 1 / sizes[labels[mask]])
    assert weights.sum() == pytest.approx(count, rel=1e-9)


def region_count(mask: np.ndarray) -> int:
    return round(region_weights(mask).sum())


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
    assert region_count(snake) == 1
    assert region_count(snake.T.copy()) == 1
    comb = np.zeros((64, 65), dtype=bool)
    comb[:, ::2] = True
    comb[-1] = True
    assert region_count(comb) == 1
    spiral = np.zeros((41, 41), dtype=bool)
    for ring in range(0, 20, 2):
        spiral[ring, ring : 41 - ring] = spiral[40 - ring, ring : 41 - ring] = True
        spiral[ring : 41 - ring, ring] = spiral[ring : 41 - ring, 40 - ring] = True
        spiral[ring + 1, ring] = False
        spiral[ring + 2, ring + 1] = True
    assert_same_regions(spiral)


def test_rows_do_not_join_around_the_edge() -> None:
    mask = np.array([[0, 0, 1], [1, 0, 0]], dtype=bool)
    assert region_count(mask) == 2
    assert region_count(np.array([[0, 1, 0], [1, 0, 0]], dtype=bool)) == 1


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (7, 3)])
def test_empty_masks_have_no_region(shape: tuple[int, int]) -> None:
    assert region_weights(np.zeros(shape, dtype=bool)).size == 0


def test_a_mask_must_have_two_dimensions() -> None:
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        region_weights(np.zeros((2, 2, 2), dtype=bool))
