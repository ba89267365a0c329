"""The scale on which customers act: exact on arrays worked out by hand, and its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mintad.decisions import ScoreScale, fit_scale

BY_HAND = {
    "odd": ([1, 2, 3, 4, 5, 6, 10], 4, (1 + 2 + 6) / 3),
    "even": ([0, 1, 2, 3, 4, 9], 2.5, (0.5 + 1.5 + 6.5) / 3),
    "in any order": ([9, 0, 4, 1, 3, 2], 2.5, (0.5 + 1.5 + 6.5) / 3),
    "ties at the centre": ([1, 1, 1, 1, 5, 6, 7], 1, 5),
    "ties above": ([0, 0, 0, 0, 8, 8, 8], 0, 8),
    "below does not count": ([-900, 0, 1, 2, 3, 4, 5], 2, 2),
    "two above are too few": ([10, 20, 30, 40, 50], 30, 3),
    "one score": ([5], 5, 0.5),
    "two scores": ([4, 6], 5, 0.5),
    "equal scores": ([7] * 9, 7, 0.7),
    "equal below zero": ([-7] * 9, -7, 0.7),
    "zeros": ([0] * 5, 0, 1),
    "almost equal": ([100] * 4 + [100 + 1e-9] * 3, 100, 1e-6 * 10),
    "almost zero": ([0] * 4 + [1e-9] * 3, 0, 1e-6),
}


@pytest.mark.parametrize("case", BY_HAND)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_scale_is_as_worked_out_by_hand(case: str, kind: type[np.floating]) -> None:
    scores, centre, spread = BY_HAND[case]
    if case == "almost equal" and kind is np.float32:
        spread = 10  # in single precision they are equal
    assert fit_scale(np.array(scores, kind)) == pytest.approx((centre, spread), rel=1e-6)


def test_no_scores_give_no_scale() -> None:
    with pytest.raises(ValueError, match="no scores"):
        fit_scale(np.array([]))


whole_scores = st.lists(st.integers(-500, 500), min_size=1, max_size=60)


@given(whole_scores, st.integers(-1000, 1000), st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_a_scale_moves_and_stretches_with_its_scores(
    scores: list[int], shift: int, stretch: float
) -> None:
    here = np.array(scores, np.float64)
    centre, spread = fit_scale(here)
    assume((here > centre).sum() >= 3)
    assert fit_scale(stretch * here + shift) == pytest.approx(
        (stretch * centre + shift, stretch * spread)
    )


@given(whole_scores)
def test_good_scores_lie_at_zero_and_those_above_at_one_in_the_mean(scores: list[int]) -> None:
    scale = fit_scale(np.array(scores, np.float64))
    calibrated = np.array([scale.score(score) for score in scores])
    assert np.median(calibrated) == pytest.approx(0)
    above = calibrated[calibrated > 0]
    if above.size >= 3:
        assert above.mean() == pytest.approx(1)
    assert scale.spread > 0


@given(whole_scores, st.randoms())
def test_the_order_of_the_scores_does_not_matter(scores: list[int], random) -> None:
    shuffled = random.sample(scores, len(scores))
    assert fit_scale(np.array(scores, float)) == pytest.approx(fit_scale(np.array(shuffled, float)))


def test_scores_and_maps_are_on_the_same_scale() -> None:
    scale = ScoreScale(centre=3, spread=0.25)
    assert [scale.score(raw) for raw in (3, 4, 2.5)] == [0, 4, -2]
    raw = np.array([[3, 4], [2.5, 0]], np.float32)
    calibrated = scale.anomaly_map(raw)
    assert calibrated.dtype == np.float32
    assert calibrated.tolist() == [[0, 4], [-2, -12]]
    assert raw.tolist() == [[3, 4], [2.5, 0]]
    assert ScoreScale() == (0, 1)
    assert ScoreScale().score(7.5) == 7.5


def test_maps_are_put_on_the_scale_in_double_precision() -> None:
    raw = np.array([[2.0**24]], np.float32)
    assert ScoreScale(2.0**24 - 0.5, 0.25).anomaly_map(raw) == 2
