"""UniAD as its paper and its code have it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mintad.errors import ConfigError
from mintad.features import Features, FeatureShape
from mintad.layers.attention import Attention, neighbour_mask
from mintad.layers.transformer import DecoderLayer, EncoderLayer
from mintad.models import create_model
from mintad.models.scores import image_score
from mintad.models.uniad import UniAd

GRID = (5, 6)
SHAPE = FeatureShape(stage_channels=(4, 8), grids=(GRID,), image_size=(40, 48))
SMALL = {"dim": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1, "decoder_layers": 1}


def small(**switches: Any) -> UniAd:
    torch.manual_seed(0)
    model = create_model("uniad", SMALL | {"mask_window": 3} | switches, SHAPE, 2)
    assert isinstance(model, UniAd)
    return model


def reach(outputs: Tensor, inputs: Tensor) -> Tensor:
    """`bool (P, P)`: whether the output at a position, row, depends on an input, column."""
    weights = torch.randn(outputs.shape[2], generator=torch.Generator().manual_seed(5))
    rows = []
    for position in range(outputs.shape[1]):
        value = (outputs[0, position] * weights).sum()
        (gradient,) = torch.autograd.grad(value, inputs, retain_graph=True)
        rows.append(gradient[0].abs().sum(dim=1) > 0)
    return torch.stack(rows)


def tokens(channels: int = 16) -> Tensor:
    return torch.randn(1, GRID[0] * GRID[1], channels).requires_grad_()


def test_the_parameter_count_is_uniads() -> None:
    """7,717,392 at 272 channels and 14x14 positions, everything counted.

    Projections 139,792; position tables of 14 rows and 14 columns with 128 channels each, 3,584;
    4 query tables of 196 x 256, 200,704; encoder 3,159,040; decoder with its LayerNorm 4,214,272.
    """
    shape = FeatureShape(stage_channels=(24, 32, 56, 160), grids=((14, 14),), image_size=(224, 224))
    model = create_model("uniad", {}, shape, 15)
    assert sum(parameter.numel() for parameter in model.parameters()) == 7_717_392


def test_the_masked_attention_never_reads_its_own_window() -> None:
    near = neighbour_mask(GRID, (3, 3))
    x = tokens()
    read = reach(Attention(16, 2)(x.detach(), x.detach(), x, near), x)
    assert torch.equal(read, ~near)


def test_an_encoder_layer_reads_of_its_own_window_only_the_token_itself() -> None:
    near = neighbour_mask(GRID, (3, 3))
    layer = EncoderLayer(16, 2, 32, 0.0, "post", zero_init=False)
    x = tokens()
    read = reach(layer(x, torch.randn(30, 16), near), x)
    assert torch.equal(read, ~near | torch.eye(30, dtype=torch.bool))


@pytest.mark.parametrize("open_to", ["memory", "previous", "neither"])
def test_a_decoder_layer_reads_nothing_of_its_own_window(open_to: str) -> None:
    near = neighbour_mask(GRID, (3, 3))
    layer = DecoderLayer(16, 2, 32, 0.0, "post", zero_init=False)
    memory, previous = tokens(), tokens()
    outputs = layer(
        torch.randn(1, 30, 16),
        memory,
        previous,
        torch.randn(30, 16),
        memory_blocked=None if open_to == "memory" else near,
        previous_blocked=None if open_to == "previous" else near,
    )
    for name, inputs in (("memory", memory), ("previous", previous)):
        expected = torch.ones_like(near) if open_to == name else ~near
        assert torch.equal(reach(outputs, inputs), expected)


def test_one_decoder_layer_alone_rebuilds_a_token_without_its_window() -> None:
    near = neighbour_mask(GRID, (3, 3))
    x = tokens(12)
    read = reach(small(encoder_layers=0, dropout=0.0).rebuild(x, None), x)
    assert torch.equal(read, ~near)


@pytest.mark.parametrize(
    "layers", [{"encoder_layers": 1}, {"encoder_layers": 0, "decoder_layers": 2}]
)
def test_a_second_layer_reaches_the_window_by_a_detour(layers: dict[str, int]) -> None:
    """What the mask does not promise: a token outside the window has itself read inside it."""
    x = tokens(12)
    assert reach(small(**layers, dropout=0.0).rebuild(x, None), x).all()


@pytest.mark.parametrize("switch", ["mask_encoder", "mask_memory", "mask_previous"])
def test_each_mask_can_be_switched_off_by_itself(switch: str) -> None:
    x = tokens(12).detach()
    masked, unmasked = small().eval(), small(**{switch: False}).eval()
    assert not torch.allclose(masked.rebuild(x, None), unmasked.rebuild(x, None))
    switches = dict.fromkeys(("mask_encoder", "mask_memory", "mask_previous"), False)
    no_mask, wide = small(**switches).eval(), small(**switches, mask_window=5).eval()
    torch.testing.assert_close(no_mask.rebuild(x, None), wide.rebuild(x, None))


def test_a_window_over_the_whole_grid_blocks_nothing() -> None:
    assert not neighbour_mask((3, 4), (7, 7)).any()
    partly = neighbour_mask((4, 5), (7, 7))
    assert partly[0].sum() == 16  # the corner sees the last column
    assert not partly[2].any()  # the middle would see nothing


def test_every_decoder_layer_has_queries_of_its_own() -> None:
    model = small(decoder_layers=3).eval()
    assert model.queries.shape == (3, 30, 16)
    x = tokens(12).detach()
    before = model.rebuild(x, None)
    for layer in range(3):
        changed = small(decoder_layers=3).eval()
        with torch.no_grad():
            changed.queries[layer] += torch.randn(30, 16)
        assert not torch.allclose(changed.rebuild(x, None), before)


def test_the_first_decoder_layer_reads_the_memory_as_the_layer_before() -> None:
    model = small().eval()
    memory, position, query = torch.randn(3, 1, 30, 16)
    decoded = model.decoder([query], memory, position[0])
    expected = model.decoder.last(model.decoder.layers[0](query, memory, memory, position[0]))
    torch.testing.assert_close(decoded, expected)


def test_the_loss_is_the_squared_error_against_the_clean_tokens() -> None:
    model = small().eval()
    x = torch.randn(4, 30, 12)
    products = torch.zeros(4, dtype=torch.int64)
    calm = small(jitter_ratio=0.0).eval()
    expected = (calm.rebuild(x, None) - x).square().mean()
    features = Features(tokens=x)
    torch.testing.assert_close(calm.loss(features, products)["loss"], expected)
    assert model.loss(features, products)["loss"] != expected
    with torch.no_grad():
        model.outward.weight.zero_()  # whatever the noise, zeros are rebuilt
        model.outward.bias.zero_()
    torch.testing.assert_close(model.loss(features, products)["loss"], x.square().mean())


def test_the_map_is_the_distance_of_each_token_and_its_score_pooled() -> None:
    model = small().eval()
    x = torch.randn(2, 30, 12)
    distance = (model.rebuild(x, None) - x).square().sum(dim=2).sqrt()
    said = model.predict(Features(tokens=x))
    torch.testing.assert_close(said.anomaly_map, model.upsample(distance.unflatten(1, GRID)))
    torch.testing.assert_close(said.raw_score, image_score(said.anomaly_map, "pooled-max"))
    assert said.product_logits is None


def test_standardise_finds_mean_and_deviation_of_each_channel() -> None:
    model = small(standardise=True)
    x = torch.randn(6, 30, 12) * 3 + 5
    features = Features(tokens=x)
    model.fit(lambda product=None: [(features[:4], torch.zeros(4)), (features[4:], torch.zeros(2))])
    standard = model.standardisation(x).flatten(0, 1)
    torch.testing.assert_close(standard.mean(dim=0), torch.zeros(12), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard.std(dim=0, correction=0), torch.ones(12), atol=1e-5, rtol=0)


def test_the_weights_begin_as_uniads() -> None:
    model = small(dim=64, heads=4)
    attention = model.encoder.layers[0].attention
    assert attention.key.weight.abs().max().item() == pytest.approx((6 / 256) ** 0.5, rel=0.01)
    assert attention.out.weight.abs().max().item() == pytest.approx((6 / 128) ** 0.5, rel=0.01)
    assert model.inward.weight.abs().max().item() == pytest.approx((6 / 76) ** 0.5, rel=0.02)
    assert not model.outward.bias.any()


def test_zero_init_leaves_of_the_input_nothing_at_first() -> None:
    model = small(norm="pre", zero_init=True).eval()
    torch.testing.assert_close(
        model.rebuild(torch.randn(1, 30, 12), None), model.rebuild(torch.randn(1, 30, 12), None)
    )


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"dim": 10, "heads": 4}, "multiple of heads"),
        ({"mask_window": 4}, "odd mask_window"),
        ({"mask_window": 0}, r"model\.mask_window"),
    ],
)
def test_switches_that_cannot_be_are_refused_with_the_mend(
    switches: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        create_model("uniad", switches, SHAPE, 2)
