"""Affinities against loops over all pairs, and what holds of any."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from mintad.layers.affinity import (
    affinity,
    affinity_difference,
    inter_image_loss,
    inter_network_loss,
    intra_affinity_loss,
    unit_tokens,
)


def stages(grid: tuple[int, int] = (2, 4), images: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    teacher, student = torch.randn(2, images, 5, *grid, generator=generator)
    return teacher, student


def cosine(a: Tensor, b: Tensor) -> float:
    lengths = math.sqrt(a.square().sum()) * math.sqrt(b.square().sum())
    return float((a * b).sum()) / lengths


def naive_pairs(first: Tensor, second: Tensor) -> list[list[float]]:
    """Cosines of all positions of one image `(C, H, W)` to all of another."""
    ours, theirs = first.flatten(1).T, second.flatten(1).T
    return [[cosine(a, b) for b in theirs] for a in ours]


def mean_square(a: list[list[float]], b: list[list[float]]) -> float:
    count = len(a)
    return sum((a[i][j] - b[i][j]) ** 2 for i in range(count) for j in range(count)) / count**2


def test_intra_affinity_compares_all_pairs_of_positions() -> None:
    teacher, student = stages()
    expected = sum(
        mean_square(naive_pairs(t, t), naive_pairs(s, s))
        for t, s in zip(teacher, student, strict=True)
    ) / len(teacher)
    loss = intra_affinity_loss(teacher, student)
    torch.testing.assert_close(loss, torch.tensor(expected), atol=1e-5, rtol=0)


def test_inter_affinity_of_networks_compares_teacher_to_student() -> None:
    teacher, student = stages()
    expected = sum(
        mean_square(naive_pairs(t, s), naive_pairs(t, t))
        for t, s in zip(teacher, student, strict=True)
    ) / len(teacher)
    loss = inter_network_loss(teacher, student)
    torch.testing.assert_close(loss, torch.tensor(expected), atol=1e-5, rtol=0)


def test_inter_affinity_of_images_compares_all_pairs_of_a_batch() -> None:
    teacher, student = stages()

    def pairs(features: Tensor) -> list[list[float]]:
        means = [
            torch.stack([image[:, y, x] for y in range(2) for x in range(4)]).mean(dim=0)
            for image in features
        ]
        return [[cosine(a, b) for b in means] for a in means]

    expected = mean_square(pairs(teacher), pairs(student))
    loss = inter_image_loss(teacher, student)
    torch.testing.assert_close(loss, torch.tensor(expected), atol=1e-5, rtol=0)


def test_the_affinity_difference_is_the_mean_over_all_other_positions() -> None:
    teacher, student = stages()
    difference = affinity_difference(teacher, student)
    assert difference.shape == (3, 2, 4)
    for b in range(3):
        ours, theirs = naive_pairs(student[b], student[b]), naive_pairs(teacher[b], teacher[b])
        for i in range(8):
            expected = sum(abs(theirs[i][j] - ours[i][j]) for j in range(8)) / 8
            assert float(difference[b, i // 4, i % 4]) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    images=st.integers(1, 3),
    seed=st.integers(0, 100),
)
def test_an_affinity_is_a_bounded_matrix_of_cosines(
    grid: tuple[int, int], images: int, seed: int
) -> None:
    features, _ = stages(grid, images, seed)
    tokens = unit_tokens(features)
    cosines = affinity(tokens, tokens)
    positions = min(grid[0], 16) * min(grid[1], 16)
    assert cosines.shape == (images, positions, positions)
    assert cosines.abs().max() <= 1 + 1e-5
    torch.testing.assert_close(cosines, cosines.transpose(1, 2))
    ones = torch.ones(images, positions)
    torch.testing.assert_close(cosines.diagonal(dim1=1, dim2=2), ones, atol=1e-5, rtol=0)


def test_a_student_that_turns_all_features_alike_keeps_every_affinity() -> None:
    teacher, student = stages()
    turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1))).Q
    turned = 3 * torch.einsum("dc,bchw->bdhw", turn, teacher)
    for loss in (intra_affinity_loss, inter_image_loss):
        assert loss(teacher, turned) < 1e-10
        assert loss(teacher, student) > 1e-3
    assert affinity_difference(teacher, turned).max() < 1e-5
    assert inter_network_loss(teacher, turned) > 1e-3
    assert inter_network_loss(teacher, 3 * teacher) < 1e-10


def test_large_maps_are_pooled_to_sixteen_a_side() -> None:
    teacher, student = stages((64, 32))
    pooled = [F.avg_pool2d(features, (4, 2)) for features in (teacher, student)]
    for loss in (intra_affinity_loss, inter_network_loss, affinity_difference):
        torch.testing.assert_close(loss(teacher, student), loss(*pooled))
    assert affinity_difference(teacher, student).shape == (3, 16, 16)
