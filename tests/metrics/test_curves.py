from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from mintad.metrics import image_metrics, rank, roc_curve
from mintad.metrics.curves import (
    Ranking,
    UndefinedError,
    f1_max,
    overlap_area,
    overlap_area_at,
)

Labelled = list[tuple[float, int]]

ties = st.integers(-5, 5).map(float)
values = st.floats(-1e30, 1e30, allow_nan=False)
labelled = st.lists(st.tuples(ties | values, st.integers(0, 1)), min_size=2, max_size=60).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


def split(pairs: Labelled) -> tuple[np.ndarray, np.ndarray]:
    scores, labels = zip(*pairs, strict=True)
    return np.array(scores), np.array(labels)


def reference_f1_max(scores: np.ndarray, labels: np.ndarray) -> float:
    return max(reference.f1_score(labels, scores >= threshold) for threshold in np.unique(scores))


@settings(max_examples=60, deadline=None)
@given(labelled)
def test_image_metrics_equal_those_of_scikit_learn(pairs: Labelled) -> None:
    scores, labels = split(pairs)
    found = image_metrics(scores, labels)
    expected = {
        "i_auroc": reference.roc_auc_score(labels, scores),
        "i_ap": reference.average_precision_score(labels, scores),
        "i_f1max": reference_f1_max(scores, labels),
    }
    assert found == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(labelled)
def test_roc_curve_equals_that_of_scikit_learn(pairs: Labelled) -> None:
    scores, labels = split(pairs)
    expected = reference.roc_curve(labels, scores, drop_intermediate=False)
    for found, wanted in zip(roc_curve(rank(scores, labels)), expected[:2], strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


@settings(deadline=None)
@given(labelled, st.randoms(use_true_random=False))
def test_order_of_the_images_does_not_matter(pairs: Labelled, random: object) -> None:
    shuffled = pairs.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert image_metrics(*split(pairs)) == image_metrics(*split(shuffled))


@settings(deadline=None)
@given(labelled)
def test_strictly_monotone_transforms_change_nothing(pairs: Labelled) -> None:
    scores, labels = split(pairs)
    transformed = np.arctan(scores)
    assume(len(np.unique(transformed)) == len(np.unique(scores)))
    assert image_metrics(scores, labels) == image_metrics(transformed, labels)


@settings(deadline=None)
@given(labelled)
def test_auroc_of_the_negated_scores_is_the_complement(pairs: Labelled) -> None:
    scores, labels = split(pairs)
    both = [image_metrics(signed, labels)["i_auroc"] for signed in (scores, -scores)]
    assert sum(both) == pytest.approx(1.0, abs=1e-12)


def test_constant_scores() -> None:
    found = image_metrics(np.zeros(4), [0, 0, 0, 1])
    assert found == {"i_auroc": 0.5, "i_ap": 0.25, "i_f1max": pytest.approx(0.4)}


def test_rank_joins_equal_scores() -> None:
    ranking = rank([1.0, 3.0, -2.0, 1.0, -0.0, 0.0], [1, 0, 0, 0, 1, 1])
    assert ranking.scores.tolist() == [3.0, 1.0, 0.0, -2.0]
    assert ranking.positives.tolist() == [0.0, 1.0, 2.0, 0.0]
    assert ranking.negatives.tolist() == [1.0, 1.0, 0.0, 1.0]
    assert (ranking.lowest, ranking.highest) == (-2.0, 3.0)


def test_overlap_area_by_hand() -> None:
    # Rates 0, 0.2, 0.4, 1 and overlaps 0, 0.5, 0.7, 1; at 0.3 the curve is at 0.6.
    assert area_of([0.5, 0.2, 0.3], [0.2, 0.2, 0.6]) == pytest.approx(
        (0.2 * 0.25 + 0.1 * 0.55) / 0.3, abs=1e-12
    )
    assert area_of([1.0, 0.0], [0.0, 5.0]) == pytest.approx(1.0, abs=1e-12)  # perfect
    assert area_of([3.0], [9.0]) == pytest.approx(0.15, abs=1e-12)  # one score for all


FIVE_SCORES = Ranking(
    scores=np.array([5.0, 4.0, 3.0, 2.0, 1.0]),
    positives=np.array([0.0, 2.0, 1.0, 1.0, 0.0]),
    negatives=np.array([2.0, 0.0, 1.0, 3.0, 4.0]),
    lowest=1.0,
    highest=5.0,
    overlaps=np.array([0.0, 1.0, 0.5, 0.5, 0.0]),
)


@pytest.mark.parametrize(
    ("scale", "limit", "expected"),
    [
        # Below 0.6 lie the rates 0.2, 0.2 and 0.3 with the overlaps 0, 0.5 and 0.75; 0.6 does not.
        ("limit", 0.6, 0.0625 / 0.6),
        ("last", 0.6, 0.0625 / 0.3),
        ("span", 0.6, 0.0625 / 0.1),
        ("last", 0.25, 0.0),  # two points at one rate
    ],
)
def test_overlap_area_at_thresholds_by_hand(scale: str, limit: float, expected: float) -> None:
    thresholds = np.array([0.5, 1.5, 2.5, 3.5, 4.5])
    area = overlap_area_at(FIVE_SCORES, thresholds, limit, scale)
    assert area == pytest.approx(expected, abs=1e-12)


def test_the_span_of_an_overlap_area_begins_at_its_first_rate() -> None:
    # Below 0.65 lie the rates 0.2, 0.3 and 0.6 with the overlaps 0, 0.75 and 1.
    area = overlap_area_at(FIVE_SCORES, np.array([0.5, 1.5, 2.5, 4.5]), 0.65, "span")
    assert area == pytest.approx((0.1 * 0.375 + 0.3 * 0.875) / 0.4, abs=1e-12)


@pytest.mark.parametrize(
    ("scale", "limit", "thresholds"),
    [
        ("last", 0.2, [0.5, 4.5]),  # no point
        ("span", 0.2, [0.5, 4.5]),
        ("last", 0.25, [0.5, 4.5]),  # one
        ("span", 0.25, [3.5, 4.5]),  # two at one rate, which span nothing
        ("last", 0.25, [5.5, 6.5]),  # two without any alarm
    ],
)
def test_too_few_thresholds_leave_no_overlap_area(
    scale: str, limit: float, thresholds: list[float]
) -> None:
    with pytest.raises(UndefinedError, match="fewer than two thresholds"):
        overlap_area_at(FIVE_SCORES, np.array(thresholds), limit, scale)


def test_f1_at_thresholds_counts_what_lies_above_them() -> None:
    # Above 4 lie two good ones; above 3 two defective ones too; above 2 three of each.
    for thresholds, expected in (([4.0], 0.0), ([3.0], 4 / 8), ([2.0], 6 / 10), ([4.0, 2.0], 0.6)):
        assert f1_max(FIVE_SCORES, np.array(thresholds)) == expected


def area_of(overlaps: list[float], negatives: list[float]) -> float:
    scores = np.arange(len(overlaps), 0, -1.0)
    ranking = Ranking(
        scores, np.array(overlaps), np.array(negatives), scores[-1], scores[0], np.array(overlaps)
    )
    return overlap_area(ranking, limit=0.3)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1.0, np.nan], [0, 1], "NaN"),
        ([1.0, np.inf], [0, 1], "infinite"),
        ([1.0, 2.0], [0, 2], "label"),
        ([1.0, 2.0], [1, 1], "both"),
        ([1.0, 2.0], [0, 0], "both"),
        ([1.0, 2.0, 3.0], [0, 1], "lists"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    scores: list[float], labels: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        image_metrics(scores, labels)
