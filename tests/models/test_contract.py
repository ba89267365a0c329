"""What every registered model keeps, whatever the method."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mintad.errors import ConfigError
from mintad.models import AnomalyModel, Batches, InputShape, create_model, list_models

SMALL: dict[str, dict[str, Any]] = {
    "mint-ad": {
        "dim": 16,
        "heads": 2,
        "feed_forward": 32,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "token_dim": 8,
        "token_activation": "layernorm",
        "dropout": 0.0,
    }
}
SHAPE = InputShape(stage_channels=(4, 8), grid=(4, 5), image_size=(32, 40), products=3)


def small(name: str, shape: InputShape = SHAPE, **switches: Any) -> AnomalyModel:
    torch.manual_seed(0)
    return create_model(name, SMALL[name] | switches, shape)


def data(shape: InputShape = SHAPE, count: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    products = torch.arange(count) % shape.products
    centres = torch.randn(shape.products, shape.positions, shape.channels, generator=generator)
    noise = torch.randn(count, shape.positions, shape.channels, generator=generator)
    return centres[products] + 0.1 * noise, products


def only_product(tokens: Tensor, products: Tensor) -> Batches:
    def batches(product: int | None = None) -> list[tuple[Tensor, Tensor]]:
        rows = (
            torch.ones_like(products, dtype=torch.bool) if product is None else products == product
        )
        return [(tokens[rows], products[rows])]

    return batches


def fitted(name: str, **switches: Any) -> AnomalyModel:
    model = small(name, **switches)
    model.fit(only_product(*data()))
    return model


@pytest.mark.parametrize("name", list_models())
def test_training_steps_lower_the_loss(name: str) -> None:
    model = fitted(name).train()
    tokens, products = data()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        torch.manual_seed(0)
        parts = model.loss(tokens, products)
        optimizer.zero_grad()
        parts["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(parts["loss"].item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", list_models())
def test_prediction_has_the_stated_shapes_and_is_finite(name: str) -> None:
    model = fitted(name).eval()
    tokens, products = data()
    found = model.predict(tokens, products if model.needs_product else None)
    assert found.anomaly_map.shape == (12, 32, 40)
    assert found.image_score.shape == (12,)
    assert found.anomaly_map.isfinite().all()
    assert found.image_score.isfinite().all()
    if found.product_logits is not None:
        assert found.product_logits.shape == (12, 3)


@pytest.mark.parametrize("name", list_models())
def test_a_batch_of_one_gives_what_the_whole_batch_gives(name: str) -> None:
    model = fitted(name).eval()
    tokens, products = data()
    whole = model.predict(tokens, products)
    for i in range(3):
        alone = model.predict(tokens[i : i + 1], products[i : i + 1])
        torch.testing.assert_close(alone.anomaly_map[0], whole.anomaly_map[i], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", list_models())
def test_a_state_dict_restores_the_model_exactly(name: str) -> None:
    model, other = fitted(name).eval(), small(name).eval()
    other.load_state_dict(model.state_dict())
    tokens, products = data()
    assert torch.equal(
        model.predict(tokens, products).anomaly_map, other.predict(tokens, products).anomaly_map
    )


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("grid", [(1, 1), (3, 7)])
def test_any_grid_works(name: str, grid: tuple[int, int]) -> None:
    shape = SHAPE.model_copy(update={"grid": grid})
    model = small(name, shape)
    tokens, products = data(shape)
    model.fit(only_product(tokens, products))
    assert model.loss(tokens, products)["loss"].isfinite()
    assert model.eval().predict(tokens, products).anomaly_map.shape == (12, 32, 40)


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="mint-ad"):
        create_model("mint", {}, SHAPE)


def test_an_unknown_switch_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"model\.depth.*encoder_layers"):
        create_model("mint-ad", {"depth": 3}, SHAPE)


@pytest.mark.parametrize(
    "switches",
    [
        {"adaptor": False},
        {"classification": False},
        {"class_query": False},
        {"prior": False},
        {"prompt": "label"},
        {"prompt": "image"},
        {"query_network": "mlp"},
        {"token_source": "pooled"},
        {"token_activation": "softmax"},
        {"modulation": "full"},
        {"target": "adapted"},
        {"standardise": True},
        {"norm": "pre", "zero_init": True},
        {"start": "subspaces"},
        {"image_score": "mean"},
        {"image_score": "top-k"},
        {"image_score": "pooled-max"},
    ],
)
def test_each_switch_of_mint_ad_trains_and_predicts(switches: dict[str, Any]) -> None:
    if switches.get("query_network") == "mlp":
        pytest.skip("383 M parameters at any size: counted on the meta device instead")
    model = fitted("mint-ad", **switches)
    tokens, products = data()
    model.loss(tokens, products)["loss"].backward()  # type: ignore[no-untyped-call]
    assert model.eval().predict(tokens).image_score.isfinite().all()


def test_mint_ad_needs_no_product_to_predict() -> None:
    model = fitted("mint-ad").eval()
    tokens, products = data()
    assert torch.equal(
        model.predict(tokens).anomaly_map, model.predict(tokens, products).anomaly_map
    )


def test_the_fixed_projection_takes_no_gradient() -> None:
    model = fitted("mint-ad", adaptor=False)
    assert not any(p.requires_grad for name, p in model.named_parameters() if "adaptor" in name)


def test_standardise_finds_mean_and_deviation_of_each_channel() -> None:
    model = fitted("mint-ad", standardise=True)
    tokens, _ = data()
    flat = tokens.flatten(0, 1)
    torch.testing.assert_close(model.feature_mean, flat.mean(dim=0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        model.feature_scale, flat.std(dim=0, correction=0), atol=1e-5, rtol=1e-5
    )
