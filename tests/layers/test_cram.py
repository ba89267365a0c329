"""Central residual aggregation against loops over positions and centres."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mintad.layers.cram import (
    Cram,
    centre_residuals,
    position_residuals,
    soft_assignment,
)


def parts(centres: int = 4, scale: float = 1.0, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tokens = scale * torch.randn(2, 6, 3, generator=generator)
    places = torch.randn(centres, 3, generator=generator)
    return tokens, places, torch.rand(centres, generator=generator) + 0.1


@settings(max_examples=40, deadline=None)
@given(centres=st.integers(1, 9), scale=st.sampled_from([0.0, 1.0, 100.0]), seed=st.integers(0, 99))
def test_the_assignment_is_positive_and_sums_to_one(centres: int, scale: float, seed: int) -> None:
    shares = soft_assignment(*parts(centres, scale, seed))
    assert shares.shape == (2, 6, centres)
    assert (shares >= 0).all()
    torch.testing.assert_close(shares.sum(dim=2), torch.ones(2, 6), atol=1e-5, rtol=0)


def test_the_assignment_is_that_of_smoothed_squared_distances() -> None:
    tokens, centres, smoothing = parts()
    shares = soft_assignment(tokens, centres, smoothing)
    for b in range(2):
        for i in range(6):
            squares = [float((tokens[b, i] - centre).square().sum()) for centre in centres]
            weights = [math.exp(-float(s) * r) for s, r in zip(smoothing, squares, strict=True)]
            for k in range(4):
                assert float(shares[b, i, k]) == pytest.approx(weights[k] / sum(weights), abs=1e-5)


def test_residuals_are_summed_over_centres_or_over_positions() -> None:
    tokens, centres, smoothing = parts()
    assignment = soft_assignment(tokens, centres, smoothing)
    by_position, by_centre = torch.zeros(2, 6, 3), torch.zeros(2, 4, 3)
    for b in range(2):
        for i in range(6):
            for k in range(4):
                residual = assignment[b, i, k] * (tokens[b, i] - centres[k])
                by_position[b, i] += residual
                by_centre[b, k] += residual
    residuals = position_residuals(tokens, centres, assignment)
    torch.testing.assert_close(residuals, by_position, atol=1e-5, rtol=0)
    residuals = centre_residuals(tokens, centres, assignment)
    torch.testing.assert_close(residuals, by_centre, atol=1e-5, rtol=0)


def test_one_centre_leaves_the_plain_residual() -> None:
    tokens, centres, smoothing = parts(centres=1)
    assignment = soft_assignment(tokens, centres, smoothing)
    plain = tokens - centres[0]
    torch.testing.assert_close(position_residuals(tokens, centres, assignment), plain)
    residuals = centre_residuals(tokens, centres, assignment)
    torch.testing.assert_close(residuals[:, 0], plain.sum(dim=1))


def test_mixing_moves_every_position_towards_its_centres() -> None:
    torch.manual_seed(0)
    cram = Cram(3, 4, "mix")
    features = torch.randn(2, 3, 4, 5)
    tokens = features.flatten(2).transpose(1, 2)
    with torch.no_grad():
        cram.mixing.fill_(math.inf)
        assignment = soft_assignment(tokens, cram.centres, cram.log_smoothing.exp())
        whole = (assignment @ cram.centres).transpose(1, 2).reshape(2, 3, 4, 5)
        torch.testing.assert_close(cram(features), whole)
        cram.mixing.fill_(-math.inf)
        torch.testing.assert_close(cram(features), features)


def test_the_gate_is_one_factor_per_image_and_channel() -> None:
    torch.manual_seed(0)
    cram = Cram(3, 4, "gate")
    features = torch.randn(2, 3, 4, 5)
    factor = cram(features) / features
    torch.testing.assert_close(factor, factor[..., :1, :1].expand_as(factor))
    assert ((factor > 0) & (factor < 1)).all()
    assert not torch.allclose(factor[0], factor[1])


@pytest.mark.parametrize("kind", ["mix", "gate"])
def test_centres_and_smoothing_learn(kind: str) -> None:
    cram = Cram(3, 4, kind)  # type: ignore[arg-type]
    cram(torch.randn(2, 3, 4, 5)).square().sum().backward()  # type: ignore[no-untyped-call]
    for parameter in cram.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
