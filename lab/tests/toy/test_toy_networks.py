"""The networks of the toy experiment, the exact limit, and the order of the indices."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from mintad_lab.toy.experiment import AWARE, DENOISING, PLAIN, TOKEN, plan
from mintad_lab.toy.limit import BEST, BEST_AWARE, best_possible, posterior_errors
from mintad_lab.toy.measures import survey
from mintad_lab.toy.networks import StackedLinear
from mintad_lab.toy.shapes import SCENES
from mintad_lab.toy.training import Budget, Trained, train

SMALL = Budget(steps=300, batch=128)
BARS = SCENES["bars"]
GROUND = survey(BARS, side=48)


@pytest.fixture(scope="module")
def trained() -> dict[str, Trained]:
    return {
        network.kind: train(BARS, GROUND, network, SMALL, (0, 1))
        for network in (PLAIN, DENOISING, TOKEN, AWARE)
    }


def worst(trained: Trained) -> float:
    return max(measures.interference or 0 for measures in trained.measures)


def best(trained: Trained) -> float:
    return min(measures.interference or 0 for measures in trained.measures)


def test_the_class_takes_the_interference_away(trained: dict[str, Trained]) -> None:
    assert best(trained["denoising"]) > 0.6
    assert worst(trained["class-aware"]) < 0.2
    assert worst(trained["class token"]) < best(trained["denoising"])


def test_the_plain_autoencoder_copies(trained: dict[str, Trained]) -> None:
    assert min(measures.copied for measures in trained["autoencoder"].measures) > 0.95
    assert max(measures.copied for measures in trained["denoising"].measures) < 0.6


def test_the_seed_decides_and_neighbours_in_the_stack_do_not(trained: dict[str, Trained]) -> None:
    alone = train(BARS, GROUND, DENOISING, SMALL, (1,))
    np.testing.assert_allclose(alone.fields[0], trained["denoising"].fields[1], atol=1e-3)
    again = train(BARS, GROUND, DENOISING, SMALL, (0, 1))
    np.testing.assert_array_equal(again.fields, trained["denoising"].fields)
    assert not np.allclose(again.fields[0], again.fields[1], atol=1e-2)


def test_a_stack_is_its_layers_one_by_one() -> None:
    layer = StackedLinear([torch.Generator().manual_seed(seed) for seed in (3, 4)], 2, 5)
    x = torch.randn(2, 7, 2)
    for number in (0, 1):
        expected = x[number] @ layer.weight[number] + layer.bias[number]
        torch.testing.assert_close(layer(x)[number], expected)
    single = StackedLinear([torch.Generator().manual_seed(4)], 2, 5)
    torch.testing.assert_close(single.weight[0], layer.weight[1])


def test_parameters_are_counted_per_network(trained: dict[str, Trained]) -> None:
    assert trained["denoising"].parameters == 2 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2


def test_the_posterior_mean_of_two_points() -> None:
    normal = np.array([[0.0, 0.0], [1.0, 0.0]])
    points = np.array([[0.5, 0.0], [0.4, 0.0], [0.0, 2.0]])
    classes = np.array([0, 1])
    errors = posterior_errors(points, normal, classes, 0.5, aware=False)
    weight = np.exp((0.4**2 - 0.6**2) / 0.5)
    assert errors[0] == pytest.approx(0, abs=1e-6)
    assert errors[1] == pytest.approx(abs(weight / (1 + weight) - 0.4), abs=1e-6)
    aware = posterior_errors(points, normal, classes, 0.5, aware=True)
    np.testing.assert_allclose(aware, [0.5, 0.4, 2.0], atol=1e-6)


def test_the_best_class_aware_one_has_no_interference() -> None:
    assert worst(best_possible(BARS, GROUND, BEST_AWARE, SMALL, (0,))) == 0
    assert 0.03 < worst(best_possible(BARS, GROUND, BEST, SMALL, (0,))) < 0.3


def test_the_plan_tells_no_class_where_there_is_one() -> None:
    planned = plan()
    assert planned["ring"] == (PLAIN, DENOISING, BEST)
    assert all(AWARE in planned[name] for name in SCENES if name != "ring")
