"""Every distance of teacher and student against loops over images, positions and channels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mintad.layers.distillation import (
    channel_loss,
    cosine_distance,
    flattened_cosine_distance,
    spatial_loss,
    squared_distance,
)
from mintad.layers.smoothing import smooth

SHAPE = (3, 4, 2, 5)


def stages(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    teacher, student = torch.randn(2, *SHAPE, generator=generator)
    return teacher, student


def length(values: list[float]) -> float:
    return math.sqrt(sum(value**2 for value in values))


def cosine(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True)) / length(first) / length(second)


def softmax(values: list[float]) -> list[float]:
    weights = [math.exp(value) for value in values]
    return [weight / sum(weights) for weight in weights]


def by_position(per_position: object) -> Tensor:
    """`per_position(teacher channels, student channels)` at each position, `(B, H, W)`."""
    teacher, student = stages()
    images, _, rows, columns = SHAPE
    return torch.tensor(
        [
            [
                [
                    per_position(teacher[b, :, y, x].tolist(), student[b, :, y, x].tolist())  # type: ignore[operator]
                    for x in range(columns)
                ]
                for y in range(rows)
            ]
            for b in range(images)
        ]
    )


def test_the_squared_distance_is_that_of_unit_channels() -> None:
    def naive(teacher: list[float], student: list[float]) -> float:
        pairs = zip(teacher, student, strict=True)
        return sum((t / length(teacher) - s / length(student)) ** 2 for t, s in pairs)

    torch.testing.assert_close(squared_distance(*stages()), by_position(naive), atol=1e-5, rtol=0)


def test_the_cosine_distance_is_that_of_each_position_and_the_spatial_loss_its_mean() -> None:
    expected = by_position(lambda teacher, student: 1 - cosine(teacher, student))
    torch.testing.assert_close(cosine_distance(*stages()), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(spatial_loss(*stages()), expected.mean(), atol=1e-5, rtol=0)


def test_the_flattened_distance_takes_a_map_as_one_vector() -> None:
    teacher, student = stages()
    expected = [
        1 - cosine(teacher[b].flatten().tolist(), student[b].flatten().tolist())
        for b in range(SHAPE[0])
    ]
    distance = flattened_cosine_distance(teacher, student)
    torch.testing.assert_close(distance, torch.tensor(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 4.0])
def test_the_channel_loss_is_the_divergence_over_positions(temperature: float) -> None:
    teacher, student = stages()
    images, channels, *_ = SHAPE
    total = 0.0
    for b in range(images):
        for c in range(channels):
            p = softmax((teacher[b, c].flatten() / temperature).tolist())
            q = softmax((student[b, c].flatten() / temperature).tolist())
            total += sum(pi * math.log(pi / qi) for pi, qi in zip(p, q, strict=True))
    expected = torch.tensor(temperature**2 * total / channels / images)
    loss = channel_loss(teacher, student, temperature)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("loss", [squared_distance, cosine_distance, flattened_cosine_distance])
def test_a_distance_knows_no_scale_and_vanishes_for_equals(loss: object) -> None:
    teacher, student = stages()
    assert callable(loss)
    torch.testing.assert_close(loss(3 * teacher, 0.2 * student), loss(teacher, student))
    assert loss(teacher, 2 * teacher).abs().max() < 1e-6
    assert (loss(teacher, student) > 0.01).all()


def test_the_channel_loss_knows_no_offset_of_a_channel_and_vanishes_for_equals() -> None:
    teacher, student = stages()
    offset = torch.randn(1, SHAPE[1], 1, 1)
    moved = channel_loss(teacher, student + offset, 1.0)
    torch.testing.assert_close(moved, channel_loss(teacher, student, 1.0))
    assert channel_loss(teacher, teacher + offset, 1.0) < 1e-6


@pytest.mark.parametrize("size", [(1, 1), (5, 40)])
def test_smoothing_is_the_weighted_mean_of_the_neighbours(size: tuple[int, int]) -> None:
    sigma, reach = 1.5, 6
    height, width = size
    plain = torch.rand(2, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = [math.exp(-0.5 * (d / sigma) ** 2) for d in range(-reach, reach + 1)]
    total = sum(weights) ** 2
    expected = torch.zeros_like(plain)
    for y in range(height):
        for x in range(width):
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    row = min(max(y + dy, 0), height - 1)
                    column = min(max(x + dx, 0), width - 1)
                    weight = weights[dy + reach] * weights[dx + reach] / total
                    expected[:, y, x] += weight * plain[:, row, column]
    torch.testing.assert_close(smooth(plain, sigma), expected)
    assert smooth(plain, 0.0) is plain
