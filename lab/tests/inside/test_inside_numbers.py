"""The numbers of one product, from what was put in."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from mintad_lab.inside.gather import Gathered, Pair, ProductInside, Token
from mintad_lab.inside.look import Anatomy
from mintad_lab.inside.numbers import accuracy, confusion, product_numbers

PARTS = Anatomy("mint-ad", "", "the class token", "INR", "the classification head", [])


def turning(count: int = 60) -> ProductInside:
    """A product whose token says how it lies, and whose features do not."""
    rng = np.random.default_rng(0)
    product = ProductInside("screw")
    for angle in rng.uniform(-np.pi / 2, np.pi / 2, count):
        vector = np.array([np.cos(2 * angle), np.sin(2 * angle)], np.float32)
        pooled = rng.standard_normal(3).astype(np.float32)
        product.tokens.append(Token(vector, pooled, float(angle)))
    return product


def test_the_posture_is_read_from_the_tokens() -> None:
    reading = product_numbers(turning(), (2, 2)).posture
    assert reading is not None
    assert reading.images == 60
    assert reading.linear > 0.99
    assert reading.neighbours > 0.95
    assert reading.linear_from_features < 0.1


def test_no_posture_without_a_long_axis_or_with_one_angle() -> None:
    assert product_numbers(turning(count=10), (2, 2)).posture is None
    for angle in (None, 0.1):
        product = turning()
        product.tokens = [token._replace(angle=angle) for token in product.tokens]
        assert product_numbers(product, (2, 2)).posture is None


def test_queries_in_numbers() -> None:
    product = ProductInside("screw")
    product.attention = [np.full((4, 4), 0.25, np.float32), np.eye(4, dtype=np.float32)]
    steps = np.array([[0, 1, 1, 2], [1, 0, 2, 1], [1, 2, 0, 1], [2, 1, 1, 0]])
    product.cosine = [(1 - 0.5 * steps).astype(np.float32)]
    numbers = product_numbers(product, (2, 2))
    assert numbers.queries.own_attention == pytest.approx((0.25 + 1) / 2)
    assert numbers.queries.attended == pytest.approx((4 + 1) / 2)
    assert (numbers.queries.near_cosine, numbers.queries.far_cosine) == (0.5, 0.0)
    assert (numbers.explained_good, numbers.subclasses) == (None, None)


def test_rebuilding_is_measured_about_the_mean_of_good_images() -> None:
    exact = np.array([[-1.0], [1.0]], np.float32)
    half = Pair(np.array([[4.0]], np.float32), np.array([[2.0]], np.float32))
    empty = Pair(np.empty((0, 1), np.float32), np.empty((0, 1), np.float32))
    product = ProductInside("screw", good=[Pair(exact, exact)], defect=[half, empty])
    numbers = product_numbers(product, (1, 2))
    assert (numbers.good_images, numbers.defective_images) == (1, 2)
    assert numbers.explained_good == 1
    assert numbers.explained_defect == pytest.approx(1 - 4 / 16)


def test_the_sizes_of_clusters_go_into_the_file() -> None:
    product = ProductInside("screw")
    for place in range(30):
        vector = np.array([place % 3 == 0, 0.01 * place], np.float32)
        product.tokens.append(Token(vector, vector, None))
    plain = product_numbers(product, (1, 1)).to_json()
    assert plain["subclasses"]["sizes"] == [20, 10]
    assert json.loads(json.dumps(plain)) == plain


def test_confusion_counts_true_by_recognised() -> None:
    products = (ProductInside("b", recognised=[1, 1, 2]), ProductInside("c", recognised=[0]))
    counts = confusion(Gathered(PARTS, ("a", "b", "c"), (1, 1), products, "test"))
    assert counts is not None
    assert counts.tolist() == [[0, 0, 0], [0, 2, 1], [1, 0, 0]]
    assert accuracy(counts) == 0.5
