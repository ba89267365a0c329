"""The shapes of the toy experiment, and the areas that are measured on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintad_lab.toy.measures import MARGIN, between, measure, perimeter, share, survey
from mintad_lab.toy.shapes import SCENES, TUBE, WINDOW, plane


@pytest.mark.parametrize("name", SCENES)
def test_points_lie_in_the_tube_of_their_class_and_fill_it(name: str) -> None:
    scene = SCENES[name]
    points, classes = scene.sample(400, np.random.default_rng(0))
    assert np.bincount(classes).tolist() == [400] * scene.classes
    own = scene.distances(points)[classes, np.arange(len(points))]
    assert own.max() <= TUBE + 1e-9
    assert own.max() > 0.9 * TUBE
    near = np.mean(own < TUBE / 2**0.5)  # a disc seen from the side: (2 / pi) (pi / 4 + 1 / 2)
    assert near == pytest.approx(0.5 + 1 / np.pi, abs=0.05)
    assert np.abs(points).max() < WINDOW


def test_distances_are_those_to_the_curve() -> None:
    points = np.array([[0.0, 0.0], [0.8, 0.0], [1.2, 0.0]])
    np.testing.assert_allclose(SCENES["ring"].distances(points)[0], [0.8, 0, 0.4], atol=1e-3)
    bars = SCENES["bars"].distances(np.array([[0.5, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(bars[:, 0], [1.4, 0.5, 0.4])
    assert bars[1, 1] == pytest.approx(0.2)


def test_the_plane_is_the_middles_of_the_cells() -> None:
    np.testing.assert_allclose(plane(3)[0], [[-1, -1], [0, -1], [1, -1]])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_between_is_what_two_classes_see_along_a_line(seed: int) -> None:
    """Along rows and columns, against a walk that is written out."""
    rng = np.random.default_rng(seed)
    owner = rng.choice([-1, 0, 1, 2], (9, 9), p=[0.85, 0.05, 0.05, 0.05])
    expected = np.zeros((9, 9), np.bool_)
    for y in range(9):
        for x in range(9):
            for dy, dx in ((0, 1), (1, 0)):
                met = []
                for sign in (1, -1):
                    row, column = y + sign * dy, x + sign * dx
                    while 0 <= row < 9 and 0 <= column < 9 and owner[row, column] < 0:
                        row, column = row + sign * dy, column + sign * dx
                    inside = 0 <= row < 9 and 0 <= column < 9
                    met.append(owner[row, column] if inside else -1)
                if owner[y, x] < 0 and min(met) >= 0 and met[0] != met[1]:
                    expected[y, x] = True
    np.testing.assert_array_equal(between(owner, directions=2), expected)


def test_the_inside_of_a_ring_is_not_between_classes() -> None:
    ground = survey(SCENES["two rings"], side=60)
    inside = SCENES["two rings"].distances(plane(60)).min(axis=0) > 0.3
    left = plane(60)[..., 0] < -0.5
    assert not ground.between[inside & left].any()
    assert ground.between[29:31, 29:31].all()
    assert not survey(SCENES["ring"], side=40).between.any()


def test_areas_keep_their_distance_from_the_tubes() -> None:
    ground = survey(SCENES["moons"], side=50)
    nearest = SCENES["moons"].distances(plane(50)).min(axis=0)
    np.testing.assert_array_equal(ground.outside, nearest > TUBE + MARGIN)
    np.testing.assert_array_equal(ground.owner >= 0, nearest <= TUBE)
    assert not (ground.between & ~ground.outside).any()


def test_the_index_is_the_naive_count() -> None:
    ground = survey(SCENES["bars"], side=30)
    field = np.random.default_rng(1).uniform(0, 1, (30, 30))
    held_out, test = np.linspace(0, 0.5, 101), np.array([0.1, 0.4, 0.6, 0.9])
    measures = measure(ground, field, held_out, test)
    assert measures.threshold == pytest.approx(0.475)
    counts = {"between": [0, 0], "outside": [0, 0], "copied": [0, 0]}
    for y in range(30):
        for x in range(30):
            if ground.outside[y, x]:
                counts["outside"][int(field[y, x] <= 0.475)] += 1
                counts["copied"][int(field[y, x] < ground.distance[y, x] / 2)] += 1
            if ground.between[y, x]:
                counts["between"][int(field[y, x] <= 0.475)] += 1
    shares = {name: yes / (no + yes) for name, (no, yes) in counts.items()}
    assert measures.interference == pytest.approx(shares["between"])
    assert measures.outside == pytest.approx(shares["outside"])
    assert measures.copied == pytest.approx(shares["copied"])
    assert measures.false_alarms == 0.5


def test_perimeter_and_share() -> None:
    area = np.zeros((6, 6), np.bool_)
    area[2:4, 1:4] = True
    assert perimeter(area) == 10
    assert share(area, area) == 1
    assert share(area, np.zeros_like(area)) is None


def test_a_field_that_accepts_the_tubes_alone_is_perfect() -> None:
    ground = survey(SCENES["two rings"], side=60)
    field = np.where(ground.owner >= 0, 0.0, 1.0)
    measures = measure(ground, field, np.zeros(10), np.zeros(10))
    assert (measures.interference, measures.outside, measures.roughness) == (0, 0, 1)
