"""The numbers of one product, from what was put in."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from mintad_lab.inside.gather import Gathered, ProductInside
from mintad_lab.inside.look import Anatomy
from mintad_lab.inside.numbers import confusion, product_numbers
from mintad_lab.inside.posture import Posture

PARTS = Anatomy("mint-ad", "", "the class token", "INR", "the classification head", ())


def turning(count: int = 60, elongation: float = 0.9) -> ProductInside:
    """A product whose token says how it lies, and whose features do not."""
    rng = np.random.default_rng(0)
    inside = ProductInside("screw")
    for angle in rng.uniform(-np.pi / 2, np.pi / 2, count):
        inside.tokens.append(np.array([np.cos(2 * angle), np.sin(2 * angle)], np.float32))
        inside.pooled.append(rng.standard_normal(3).astype(np.float32))
        inside.postures.append(Posture(float(angle), elongation))
    return inside


def test_the_posture_is_read_from_the_tokens() -> None:
    found = product_numbers(turning(), (2, 2)).posture
    assert found is not None
    assert found.images == 60
    assert found.linear > 0.99
    assert found.neighbours > 0.95
    assert found.linear_from_features < 0.1


def test_no_posture_without_a_long_axis_or_with_one_angle() -> None:
    assert product_numbers(turning(elongation=0.2), (2, 2)).posture is None
    assert product_numbers(turning(count=10), (2, 2)).posture is None
    alike = turning()
    alike.postures = [Posture(0.1, 0.9)] * 60
    assert product_numbers(alike, (2, 2)).posture is None


def test_queries_in_numbers() -> None:
    inside = ProductInside("screw")
    inside.attention = [np.full((4, 4), 0.25, np.float32), np.eye(4, dtype=np.float32)]
    steps = np.array([[0, 1, 1, 2], [1, 0, 2, 1], [1, 2, 0, 1], [2, 1, 1, 0]])
    inside.cosine = [(1 - 0.5 * steps).astype(np.float32)]
    found = product_numbers(inside, (2, 2))
    assert found.own_attention == pytest.approx((0.25 + 1) / 2)
    assert found.attended == pytest.approx((4 + 1) / 2)
    assert (found.near_cosine, found.far_cosine) == (0.5, 0.0)
    assert (found.explained_good, found.subclasses) == (None, None)


def test_rebuilding_is_measured_about_the_mean_of_good_images() -> None:
    inside = ProductInside("screw")
    inside.good = [np.array([[-1.0], [1.0]], np.float32)]
    inside.good_rebuilt = [np.array([[-1.0], [1.0]], np.float32)]
    inside.defect = [np.array([[4.0]], np.float32)]
    inside.defect_rebuilt = [np.array([[2.0]], np.float32)]
    found = product_numbers(inside, (1, 2))
    assert found.explained_good == 1
    assert found.explained_defect == pytest.approx(1 - 4 / 16)


def test_confusion_counts_true_by_recognised() -> None:
    one, other = ProductInside("b", recognised=[1, 1, 2]), ProductInside("c", recognised=[0])
    counts = confusion(Gathered(PARTS, ("a", "b", "c"), (1, 1), (one, other), "test"))
    assert counts is not None
    assert counts.tolist() == [[0, 0, 0], [0, 2, 1], [1, 0, 0]]
