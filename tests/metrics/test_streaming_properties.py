"""Properties of the accumulator: whatever the images, their order and how they are divided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as reference

from mintad.metrics import (
    IMAGE_METRICS,
    METRICS,
    PIXEL_METRICS,
    MetricTable,
    ProductMetrics,
    Profile,
    StreamingMetrics,
    find_profiles,
)

SHAPE = (4, 5)


MINTAD, *OTHERS = find_profiles(["all"])
PROFILES = [
    MINTAD,
    *(
        profile.model_copy(update={"enlarged": profile.enlarged and 9, "crop": profile.crop and 7})
        for profile in (other.model_copy(update={"size": 6}) for other in OTHERS)
    ),
]
"""Every protocol, at a size that keeps tables of these maps exact."""


class Picture(NamedTuple):
    product: str
    score: float
    label: int
    anomaly_map: np.ndarray
    mask: np.ndarray | None


values = st.integers(-3, 3).map(float) | st.floats(-4, 4, width=32)
"""Few enough for ties."""


@st.composite
def pictures(draw: st.DrawFn, products: str = "ab") -> list[Picture]:
    shown = []
    for _ in range(draw(st.integers(1, 8))):
        label = draw(st.integers(0, 1))
        mask = draw(st.none() | arrays(bool, SHAPE)) if label else None
        anomaly_map = draw(arrays(np.float32, SHAPE, elements=values))
        product = draw(st.sampled_from(products))
        shown.append(Picture(product, draw(values), label, anomaly_map, mask))
    return shown


def measured(shown: Sequence[Picture], profile: Profile = MINTAD) -> MetricTable:
    metrics = StreamingMetrics(profile)
    for product, score, label, anomaly_map, mask in shown:
        metrics.update(product, score=score, label=label, anomaly_map=anomaly_map, mask=mask)
    return metrics.result()


def assert_same(row: ProductMetrics, expected: ProductMetrics) -> None:
    assert dict(row.values) == pytest.approx(dict(expected.values), abs=1e-12)
    assert row.undefined == expected.undefined
    assert (row.n_good, row.n_defect) == (expected.n_good, expected.n_defect)


@settings(max_examples=40, deadline=None)
@given(pictures(), st.randoms(use_true_random=False), st.sampled_from(PROFILES))
def test_order_does_not_matter(shown: list[Picture], random: object, profile: Profile) -> None:
    shuffled = shown.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    table, again = measured(shown, profile), measured(shuffled, profile)
    assert list(table.products) == list(again.products)
    for product, row in table.products.items():
        assert_same(again.products[product], row)
    assert_same(again.pooled, table.pooled)


@settings(max_examples=40, deadline=None)
@given(pictures(products="abc"), st.sampled_from(PROFILES))
def test_parts_put_together_equal_all_at_once(shown: list[Picture], profile: Profile) -> None:
    apart = measured(shown, profile)
    # Products without any mask stay out of the pooled pixels.
    masked = {picture.product for picture in shown if picture.mask is not None}
    together = measured([picture._replace(product="all") for picture in shown], profile)
    pixels = measured(
        [picture._replace(product="all") for picture in shown if picture.product in masked], profile
    )
    pooled, whole = apart.pooled, together.products["all"]
    assert (pooled.n_good, pooled.n_defect) == (whole.n_good, whole.n_defect)
    for metric in IMAGE_METRICS:
        assert pooled.values[metric] == pytest.approx(whole.values[metric], abs=1e-12)
    for metric in PIXEL_METRICS:
        expected = pixels.pooled.values[metric] if masked else None
        assert pooled.values[metric] == pytest.approx(expected, abs=1e-12)
    for product, row in apart.products.items():
        alone = measured([picture for picture in shown if picture.product == product], profile)
        assert_same(alone.products[product], row)
        assert_same(alone.pooled, row)


@settings(max_examples=40, deadline=None)
@given(pictures())
def test_metrics_agree_with_scikit_learn(shown: list[Picture]) -> None:
    for product, row in measured(shown).products.items():
        mine = [picture for picture in shown if picture.product == product]
        labels = np.array([picture.label for picture in mine])
        scores = np.array([picture.score for picture in mine])
        compare(row, ("i_auroc", "i_ap", "i_f1max"), labels, scores)
        masks = [
            np.zeros(SHAPE, bool) if picture.label == 0 else picture.mask
            for picture in mine
            if picture.label == 0 or picture.mask is not None
        ]
        maps = [
            picture.anomaly_map
            for picture in mine
            if picture.label == 0 or picture.mask is not None
        ]
        if masks and any(picture.mask is not None for picture in mine):
            truth = np.stack([mask for mask in masks if mask is not None]).ravel()
            compare(row, ("p_auroc", "p_ap", "p_f1max"), truth, np.stack(maps).ravel())
        else:
            assert all(row.values[metric] is None for metric in PIXEL_METRICS)


def compare(
    row: ProductMetrics, keys: Sequence[str], labels: np.ndarray, scores: np.ndarray
) -> None:
    if len(np.unique(labels)) < 2:
        assert all(row.values[key] is None for key in keys)
        return
    precision, recall, _ = reference.precision_recall_curve(labels, scores)
    expected = [
        reference.roc_auc_score(labels, scores),
        reference.average_precision_score(labels, scores),
        np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300)),
    ]
    assert [row.values[key] for key in keys] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(pictures(), st.sampled_from(PROFILES))
def test_whatever_is_missing_says_why_and_survives_a_file(
    shown: list[Picture], profile: Profile
) -> None:
    table = measured(shown, profile)
    again = MetricTable.from_json(table.to_json())
    assert (again.products, again.pooled, again.macro) == (
        table.products,
        table.pooled,
        table.macro,
    )
    for row in [*table.products.values(), table.pooled]:
        assert set(row.values) == set(METRICS)
        for metric, value in row.values.items():
            assert (value is None) == bool(row.undefined.get(metric))
            assert value is None or 0 <= value <= 1 + 1e-12
    assert {key for key, value in table.macro.items() if value is None} == {
        key for key, reason in table.macro_undefined.items() if reason
    }
