from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mintad.layers.recogniser import ProductRecogniser
from mintad.layers.subspace import ProductSubspaces, channel_weights, leading_directions

STRENGTHS = (4.0, 2.5, 1.6, 1.0, 0.6)
"""How much tokens vary along each of their directions: so differently that all are defined."""


def tokens(count: int = 40, positions: int = 3, channels: int = 10, seed: int = 0) -> Tensor:
    """Tokens that vary along five directions per position, with a little noise."""
    mixing = torch.randn(positions, channels, 5, generator=torch.Generator().manual_seed(9))
    directions = torch.linalg.qr(mixing).Q
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(count, positions, 5, generator=generator) * torch.tensor(STRENGTHS)
    noise = torch.randn(count, positions, channels, generator=generator)
    return 3 + torch.einsum("npr,pcr->npc", hidden, directions) + 0.02 * noise


def fitted(rank: int, code: int = 10) -> ProductSubspaces:
    subspaces = ProductSubspaces(2, 3, torch.ones(10), rank, code)
    subspaces.fit(1, iter(tokens().split(16)))
    return subspaces


def principal_components(deviation: Tensor, rank: int) -> Tensor:
    """The first `rank` of centred rows `(N, C)`, `(C, rank)`, by their definition."""
    return torch.linalg.svd(deviation.double(), full_matrices=False).Vh[:rank].T


@pytest.mark.parametrize("rank", [0, 1, 2, 5])
def test_residual_is_what_naive_principal_components_leave(rank: int) -> None:
    subspaces, train, new = fitted(rank), tokens(), tokens(5, seed=1)
    mean = train.mean(dim=0)
    scale = (train - mean).square().mean(dim=(0, 1)).sqrt()
    product = torch.ones(5, dtype=torch.int64)
    ours = subspaces.residual(subspaces.normalised(new, product), product)
    for position in range(3):
        directions = principal_components((train - mean)[:, position] / scale, rank)
        x = (new - mean)[:, position].double() / scale
        expected = x - x @ directions @ directions.T
        tolerance = 0.025 if rank else 0.002  # directions in 8 bits, the mean in 16
        torch.testing.assert_close(ours[:, position].double(), expected, atol=tolerance, rtol=0)


def test_what_is_kept_are_the_principal_components_to_8_bits() -> None:
    subspaces, train, new = fitted(rank=5), tokens(), tokens(5, seed=1)
    deviation = train - train.mean(dim=0)
    scale = deviation.square().mean(dim=(0, 1)).sqrt()
    step = subspaces.step[1]  # (P, rank)
    kept = subspaces.basis[1].float() @ (subspaces.directions[1] * step[:, None])  # (P, C, rank)
    product = torch.ones(5, dtype=torch.int64)
    x = subspaces.normalised(new, product)
    ours = subspaces.residual(x, product)
    for position in range(3):
        exact = principal_components(deviation[:, position] / scale, rank=5)
        sign = (kept[position] * exact).sum(dim=0).sign()
        assert ((kept[position] * sign - exact).abs() < step[position]).all()
        explained = x[:, position] @ kept[position] @ kept[position].T
        torch.testing.assert_close(ours[:, position], x[:, position] - explained)


def test_a_shared_code_leaves_what_it_cannot_hold_in_the_residual() -> None:
    product = torch.ones(5, dtype=torch.int64)
    new = tokens(5, seed=1)
    narrow, wide = fitted(5, code=6), fitted(5, code=10)
    narrow_left = narrow.residual(narrow.normalised(new, product), product).norm()
    wide_left = wide.residual(wide.normalised(new, product), product).norm()
    assert wide_left < narrow_left < narrow.normalised(new, product).norm()


def test_an_unusual_token_stands_out_at_its_place_alone() -> None:
    subspaces, new = fitted(5), tokens(4, seed=2)
    product = torch.ones(4, dtype=torch.int64)
    new[0, 1] += torch.randn(10, generator=torch.Generator().manual_seed(3))
    distance = subspaces.residual(subspaces.normalised(new, product), product).norm(dim=2)
    assert distance.argmax() == 1
    assert distance[0, 1] > 3 * distance.flatten().sort().values[-2]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_images_give_few_directions_and_finite_residuals(count: int) -> None:
    subspaces = ProductSubspaces(1, 3, torch.ones(10), rank=8, code=10)
    subspaces.fit(0, [tokens(count)])
    assert int((subspaces.step[0] > 0).sum(dim=1).max()) == count - 2
    product = torch.zeros(2, dtype=torch.int64)
    new = tokens(2, seed=4)
    assert subspaces.residual(subspaces.normalised(new, product), product).isfinite().all()


def test_a_constant_channel_does_not_divide_by_zero() -> None:
    flat = tokens()
    flat[..., 0] = 7
    subspaces = ProductSubspaces(1, 3, torch.ones(10), 2, 10)
    subspaces.fit(0, [flat])
    assert subspaces.normalised(flat, torch.zeros(40, dtype=torch.int64)).isfinite().all()


def test_balance_gives_every_stage_its_share() -> None:
    weights = channel_weights((4, 36), 0.5)
    assert weights[:4].square().sum().item() == pytest.approx(weights[4:].square().sum().item())
    assert weights.square().mean().item() == pytest.approx(1)
    torch.testing.assert_close(channel_weights((4, 36), 0.0), torch.ones(40))


def test_recogniser_is_linear_discriminant_analysis() -> None:
    sklearn = pytest.importorskip("sklearn.discriminant_analysis")
    generator = torch.Generator().manual_seed(0)
    groups = [torch.randn(60, 6, generator=generator) + 2 * k for k in range(3)]
    recogniser = ProductRecogniser(3, 6, shrinkage=0.0)
    recogniser.fit(groups)
    labels = np.repeat(np.arange(3), 60)
    reference = sklearn.LinearDiscriminantAnalysis(solver="lsqr", priors=[1 / 3] * 3)
    reference.fit(torch.cat(groups).numpy(), labels)
    new = torch.randn(50, 6, generator=generator) * 3
    ours = recogniser(new[:, None]).argmax(dim=1).numpy()
    np.testing.assert_array_equal(ours, reference.predict(new.numpy()))


def test_recogniser_works_with_one_product_and_with_two_images() -> None:
    one = ProductRecogniser(1, 4)
    one.fit([torch.randn(2, 4)])
    assert one(torch.randn(3, 5, 4)).isfinite().all()


def test_leading_directions_are_those_of_the_whole_spectrum() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 90, 100, generator=generator) * torch.linspace(3, 0.1, 100)
    moments = x.transpose(1, 2) @ x
    ours = leading_directions(moments, 12)
    exact = torch.linalg.eigh(moments)[1][:, :, -12:]
    torch.testing.assert_close(
        ours.transpose(1, 2) @ ours, torch.eye(12).expand(4, -1, -1), atol=1e-4, rtol=0
    )
    captured = (moments @ ours * ours).sum() / (moments @ exact * exact).sum()
    assert captured > 0.995


@pytest.mark.parametrize(("images", "copies"), [(28, 1), (12, 3), (40, 2)])
def test_few_or_repeated_images_span_less_than_the_directions_asked_for(
    images: int, copies: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    train = torch.randn(images, 4, 160, generator=generator).repeat(copies, 1, 1)
    subspaces = ProductSubspaces(1, 4, torch.ones(160), rank=32, code=150)
    subspaces.fit(0, [train])
    product = torch.zeros(len(train), dtype=torch.int64)
    deviations = subspaces.normalised(train, product)
    left = subspaces.residual(deviations, product).norm() / deviations.norm()
    assert left < (0.15 if images < 32 else 0.75)
    new = torch.randn(5, 4, 160, generator=generator)
    found = subspaces.residual(subspaces.normalised(new, product[:5]), product[:5])
    assert found.isfinite().all()
    assert found.norm() > 0.5 * subspaces.normalised(new, product[:5]).norm()
