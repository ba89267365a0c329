"""The paired bootstrap against one written out, image by image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mintad_lab.experiment.bootstrap import paired_difference


def scores(shift: float, seed: int = 0, count: int = 60) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    drawn = {}
    for product in ("nut", "bolt"):
        labels = np.arange(count) % 2
        values = rng.normal(size=count) + shift * labels
        drawn[product] = {"scores": values.tolist(), "labels": labels.tolist()}
    return drawn


def macro(scored: dict[str, Any]) -> float:
    return float(np.mean([roc_auc_score(x["labels"], x["scores"]) for x in scored.values()]))


def test_the_difference_is_that_of_macro_aurocs() -> None:
    first, second = [scores(2.0, 0), scores(2.0, 1)], [scores(0.5, 0), scores(0.5, 1)]
    found = paired_difference(first, second)
    assert found is not None
    expected = np.mean([macro(x) for x in first]) - np.mean([macro(x) for x in second])
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert 0 < found.low < found.value < found.high
    assert found == paired_difference(first, second)


def test_a_method_against_itself_differs_by_nothing() -> None:
    assert paired_difference([scores(1.0)], [scores(1.0)]) == (0.0, 0.0, 0.0)


def test_the_interval_is_as_wide_as_drawing_anew_makes_it() -> None:
    first, second = scores(1.5, 3), scores(0.5, 4)
    found = paired_difference([first], [second])
    assert found is not None
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        differences = []
        for product in first:
            labels = np.array(first[product]["labels"])
            rows = np.concatenate(
                [rng.choice(np.flatnonzero(labels == label), 30) for label in (0, 1)]
            )
            areas = [
                roc_auc_score(labels[rows], np.array(scored[product]["scores"])[rows])
                for scored in (first, second)
            ]
            differences.append(areas[0] - areas[1])
        drawn.append(np.mean(differences))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)


def test_other_images_have_no_difference() -> None:
    assert paired_difference([scores(1.0)], [scores(1.0, count=40)]) is None
    assert paired_difference([], []) is None
