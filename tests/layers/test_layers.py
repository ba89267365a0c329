from __future__ import annotations

import pytest
import torch

from mintad.layers.attention import Attention, neighbour_mask
from mintad.layers.distribution_decoder import (
    DistributionDecoder,
    gaussian_negative_log_likelihood,
)
from mintad.layers.inr import ImplicitQuery, TokenMlpQuery
from mintad.layers.noise import jitter
from mintad.layers.position import LearnedPosition, coordinates
from mintad.layers.prompt_mapper import PooledPromptMapper, PromptMapper
from mintad.layers.transformer import Decoder, Encoder


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_attention_is_torchs_multi_head_attention() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(32, 4), torch.nn.MultiheadAttention(32, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(
            torch.cat([ours.query.weight, ours.key.weight, ours.value.weight])
        )
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
    query, key, value = torch.randn(2, 5, 32), torch.randn(2, 7, 32), torch.randn(2, 7, 32)
    blocked = torch.rand(5, 7) < 0.3
    expected = theirs(query, key, value, attn_mask=blocked)[0]
    torch.testing.assert_close(ours(query, key, value, blocked), expected, atol=1e-5, rtol=1e-5)


def test_neighbour_mask_blocks_the_window_and_nothing_else() -> None:
    mask = neighbour_mask((9, 10), (7, 7)).reshape(9, 10, 9, 10)
    for row, column in ((0, 0), (4, 5), (8, 9)):
        for other_row in range(9):
            for other_column in range(10):
                near = abs(row - other_row) <= 3 and abs(column - other_column) <= 3
                assert bool(mask[row, column, other_row, other_column]) is near


def test_jitter_has_the_stated_ratio_of_noise_to_signal() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(8, 49, 272) * 3
    noise = jitter(tokens, ratio=1.2127) - tokens
    ratio = noise.norm(dim=2) / tokens.norm(dim=2)
    assert ratio.mean().item() == pytest.approx(20 / 272**0.5, rel=0.01)


def test_jitter_with_probability_touches_that_share_of_the_images() -> None:
    torch.manual_seed(0)
    tokens = torch.ones(2000, 1, 4)
    touched = (jitter(tokens, 1.0, probability=0.25) != tokens).any(dim=2).float().mean()
    assert touched.item() == pytest.approx(0.25, abs=0.04)


def test_inr_has_the_papers_parameter_count() -> None:
    query = ImplicitQuery((14, 14))
    assert count(query) - query.position.numel() == 602_368


def test_mapper_inr_and_distribution_decoder_have_the_papers_parameter_count() -> None:
    query = ImplicitQuery((14, 14))
    head = torch.nn.Linear(32, 15)
    parts = (PromptMapper(196), head, query, DistributionDecoder())
    total = sum(count(part) for part in parts) - query.position.numel()
    assert total / 1e6 == pytest.approx(3.16, abs=0.005)


def test_large_mlp_query_has_about_383_million_parameters() -> None:
    with torch.device("meta"):
        assert count(TokenMlpQuery((14, 14))) / 1e6 == pytest.approx(383.5, abs=0.5)


def test_inr_query_depends_on_token_and_position() -> None:
    torch.manual_seed(0)
    query = ImplicitQuery((3, 4), token_dim=8, dim=16)
    zeros, ones = query(torch.zeros(1, 8)), query(torch.ones(1, 8))
    assert zeros.shape == (1, 12, 16)
    assert not torch.allclose(zeros, ones)
    assert not torch.allclose(zeros[0, 0], zeros[0, 1])


def test_inr_is_modulated_siren_written_out() -> None:
    torch.manual_seed(0)
    query = ImplicitQuery((2, 2), token_dim=3, dim=5, layers=2, omega=30.0)
    token = torch.randn(1, 3)
    for i, position in enumerate(query.position):
        h, x = torch.cat([token[0], position]), position
        for sine, modulate in zip(query.synthesis, query.modulator, strict=True):
            h = torch.relu(modulate.weight @ h + modulate.bias)
            x = h * torch.sin(30.0 * (sine.weight @ x + sine.bias))
        expected = query.out.weight @ x + query.out.bias
        torch.testing.assert_close(query(token)[0, i], expected)


def test_full_modulation_starts_as_the_amplitude_alone() -> None:
    torch.manual_seed(0)
    plain = ImplicitQuery((2, 3), 4, 8)
    full = ImplicitQuery((2, 3), 4, 8, modulation="full")
    full.load_state_dict(plain.state_dict(), strict=False)
    token = torch.randn(2, 4)
    torch.testing.assert_close(full(token), plain(token))


@pytest.mark.parametrize("activation", ["softmax", "layernorm"])
def test_prompt_mapper_ends_as_named(activation: str) -> None:
    torch.manual_seed(0)
    mapper = PromptMapper(12, 16, 16, 8, activation)  # type: ignore[arg-type]
    token = mapper(torch.randn(3, 12, 16))
    assert token.shape == (3, 8)
    sums = token.sum(dim=1)
    torch.testing.assert_close(sums, torch.full((3,), 1.0 if activation == "softmax" else 0.0))


def test_pooled_mapper_reads_any_number_of_positions_in_any_order() -> None:
    torch.manual_seed(0)
    mapper = PooledPromptMapper(16, 16, 8)
    adapted = torch.randn(2, 30, 16)
    torch.testing.assert_close(mapper(adapted), mapper(adapted[:, torch.randperm(30)]))


def test_likelihood_is_the_gaussian_one() -> None:
    x, mean, log_variance = torch.randn(3, 50)
    normal = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = -normal.log_prob(x) - 0.5 * torch.log(torch.tensor(2 * torch.pi))
    ours = gaussian_negative_log_likelihood(x, mean, log_variance)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def test_distribution_decoder_keeps_the_variance_in_range() -> None:
    decoder = DistributionDecoder(8)
    _, log_variance = decoder(torch.randn(2, 3, 8) * 1e4)
    assert log_variance.min() >= -5
    assert log_variance.max() <= 3


def test_positions_tell_row_and_column() -> None:
    position = LearnedPosition((3, 5), 8)().reshape(3, 5, 8)
    torch.testing.assert_close(position[0, 2, :4], position[2, 2, :4])
    torch.testing.assert_close(position[1, 0, 4:], position[1, 4, 4:])
    assert coordinates((3, 5)).reshape(3, 5, 3)[2, 4].tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_decoder_takes_nothing_of_the_input_but_through_attention(norm: str) -> None:
    torch.manual_seed(0)
    decoder = Decoder(2, 16, 2, 32, 0.0, norm, zero_init=True).eval()  # type: ignore[arg-type]
    query, position = torch.randn(1, 6, 16), torch.randn(6, 16)
    first, second = (decoder([query] * 2, torch.randn(1, 6, 16), position) for _ in range(2))
    torch.testing.assert_close(first, second)


def test_pre_norm_encoder_with_zero_init_starts_as_its_norm() -> None:
    encoder = Encoder(3, 16, 2, 32, 0.0, "pre", zero_init=True).eval()
    x = torch.randn(2, 6, 16)
    torch.testing.assert_close(encoder(x, torch.zeros(6, 16)), torch.nn.LayerNorm(16)(x))
