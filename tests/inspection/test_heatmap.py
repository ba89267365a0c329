from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mintad.inspection import heatmap
from mintad.inspection.heatmap import COLOURS, colourise, fit_map, outline, overlay


def lightness(colours: np.ndarray) -> np.ndarray:
    linear = (colours / 255.0) ** 2.2
    return linear @ np.array((0.2126, 0.7152, 0.0722))


def spot(height: int, width: int, row: int, column: int, radius: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return ((rows - row) ** 2 + (columns - column) ** 2 <= radius**2).astype(np.float32)


def changed_centre(image: np.ndarray, drawn: np.ndarray) -> tuple[float, float]:
    weight = np.abs(drawn.astype(float) - image).sum(axis=-1)
    rows, columns = np.indices(weight.shape)
    return (
        float((rows * weight).sum() / weight.sum()),
        float((columns * weight).sum() / weight.sum()),
    )


def test_colours_grow_lighter_step_by_step():
    assert (np.diff(lightness(COLOURS)) >= 0).all()
    assert lightness(COLOURS)[-1] - lightness(COLOURS)[0] > 0.6


@given(
    arrays.arrays(np.float32, (3, 5), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
)
@settings(deadline=None)
def test_a_higher_score_is_never_darker(anomaly_map, low, span):
    colours = colourise(anomaly_map, low, low + span)
    assert colours.shape == (3, 5, 3)
    assert colours.dtype == np.uint8
    order = np.argsort(anomaly_map, axis=None)
    assert (np.diff(lightness(colours).ravel()[order]) >= 0).all()


def test_scores_outside_the_scale_take_its_ends():
    colours = colourise(np.array([[-5.0, 1.0, 2.0, 99.0]], np.float32), 1.0, 2.0)
    assert (colours[0, 0] == colours[0, 1]).all()
    assert (colours[0, 1] == COLOURS[0]).all()
    assert (colours[0, 2] == COLOURS[-1]).all()
    assert (colours[0, 3] == COLOURS[-1]).all()


def test_what_is_not_a_number_stands_out():
    colours = colourise(np.array([[np.nan, np.inf, -np.inf]], np.float32), 0.0, 1.0)
    assert (colours[0, :2] == COLOURS[-1]).all()
    assert (colours[0, 2] == COLOURS[0]).all()


@pytest.mark.parametrize(("low", "high"), [(3.0, 3.0), (4.0, 3.0)])
@pytest.mark.filterwarnings("error")
def test_a_constant_map_on_an_empty_scale_is_dark_everywhere(low, high):
    constant = np.full((4, 6), 3.0, np.float32)
    assert (colourise(constant, low, high) == COLOURS[0]).all()
    image = np.full((8, 12, 3), 90, np.uint8)
    assert (overlay(image, constant, low, high) == image).all()


@pytest.mark.parametrize(("height", "width"), [(60, 200), (200, 60), (37, 53)])
def test_a_hot_spot_stays_at_its_place_when_stretched(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    anomaly_map = np.zeros((10, 10), np.float32)
    anomaly_map[2, 7] = 1.0
    drawn = overlay(image, anomaly_map, 0.0, 1.0)
    assert drawn.shape == image.shape
    row, column = changed_centre(image, drawn)
    assert row + 0.5 == pytest.approx(0.25 * height, abs=0.02 * height)
    assert column + 0.5 == pytest.approx(0.75 * width, abs=0.02 * width)


@pytest.mark.parametrize(("height", "width"), [(80, 160), (160, 80)])
def test_a_hot_spot_stays_at_its_place_when_padded(height, width):
    # The image fills half of a square map, centred, the rest is padding.
    tall = height > width
    box = (0, 16, 64, 32) if tall else (16, 0, 32, 64)
    image = np.zeros((height, width, 3), np.uint8)
    row, column = height * 0.25, width * 0.75
    anomaly_map = spot(64, 64, round(box[0] + row * 0.4), round(box[1] + column * 0.4), 3)
    anomaly_map[:10, :10] = 5.0  # in the padding: it must not be seen
    drawn = overlay(image, anomaly_map, 0.0, 1.0, box=box)
    found_row, found_column = changed_centre(image, drawn)
    assert found_row == pytest.approx(row, abs=2.5)
    assert found_column == pytest.approx(column, abs=2.5)


def test_strips_of_a_large_image_fit_together(monkeypatch):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (37, 53, 3), np.uint8)
    anomaly_map = rng.normal(0, 1, (10, 12))
    box = (1, 0, 8, 12)
    whole = overlay(image, anomaly_map, -1.0, 1.0, box=box)
    for pixels in (1, 53 * 5, 53 * 36):
        monkeypatch.setattr(heatmap, "_STRIP", pixels)
        drawn = overlay(image, anomaly_map, -1.0, 1.0, box=box)
        assert np.abs(drawn.astype(int) - whole).max() <= 1


def test_resizing_is_bilinear_between_pixel_centres():
    fitted = fit_map(np.array([[0.0, 1.0]], np.float32), 1, 4)
    assert fitted[0] == pytest.approx([0.0, 0.25, 0.75, 1.0], abs=1e-6)


def test_normal_regions_stay_as_they_are_and_opacity_grows():
    image = np.full((1, 4, 3), 128, np.uint8)
    scores = np.array([[0.0, 0.3, 0.6, 1.0]], np.float32)
    drawn = overlay(image, scores, 0.0, 1.0)
    assert (drawn[0, 0] == 128).all()
    full = colourise(scores, 0.0, 1.0).astype(float)
    share = np.abs(drawn - 128.0).sum(-1) / np.maximum(np.abs(full - 128.0).sum(-1), 1)
    assert (np.diff(share[0]) > 0).all()
    assert share[0, -1] < 1


def test_the_outline_runs_around_the_mask_and_leaves_its_inside():
    image = np.full((100, 150, 3), 128, np.uint8)
    mask = np.zeros((100, 150), bool)
    mask[40:60, 70:90] = True
    drawn = outline(image, mask)
    touched = (drawn != image).any(-1)
    assert not touched[mask].any()
    assert touched[39, 70:90].all()
    assert touched[40:60, 90].all()
    assert not touched[:35].any()
    assert (image == 128).all()


def test_the_outline_of_a_mask_over_everything_is_seen():
    image = np.full((50, 50, 3), 128, np.uint8)
    drawn = outline(image, np.ones((50, 50), bool))
    assert (drawn[0] != 128).any()
    assert (drawn[25, 25] == 128).all()


def test_the_outline_of_nothing_changes_nothing():
    image = np.full((50, 50, 3), 128, np.uint8)
    assert (outline(image, np.zeros((50, 50), bool)) == image).all()


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        outline(np.zeros((5, 5, 3), np.uint8), np.zeros((5, 6), bool))
