"""How each variant of UniAD is told the product."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mintad.features import Features, FeatureShape
from mintad.models import AnomalyModel, create_model
from mintad.models.class_aware import ClassTokenUniAd, QueryPoolUniAd, TextPromptUniAd

SHAPE = FeatureShape(stage_channels=(12,), grids=((5, 6),), image_size=(40, 48))
TEXTS = torch.randn(3, 6, generator=torch.Generator().manual_seed(3))
SMALL: dict[str, Any] = {
    "dim": 16,
    "heads": 2,
    "feed_forward": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "mask_window": 3,
    "dropout": 0.0,
}


def small(name: str, texts: Tensor = TEXTS, **switches: Any) -> AnomalyModel:
    torch.manual_seed(0)
    parts = {"texts": texts} if name == "text-prompt" else {}
    return create_model(f"uniad-{name}", SMALL | switches, SHAPE, 3, **parts).eval()


def test_the_query_pool_has_a_table_per_product_and_layer() -> None:
    model = small("query-pool")
    assert isinstance(model, QueryPoolUniAd)
    assert model.queries.shape == (3, 2, 30, 16)
    products = torch.tensor([2, 0])
    queries = model.layer_queries(2, products)
    for layer in range(2):
        for image, product in enumerate(products):
            assert torch.equal(queries[layer, image], model.queries[product, layer])


def test_one_product_of_the_query_pool_learns_nothing_of_another() -> None:
    model = small("query-pool")
    features = Features(tokens=torch.randn(4, 30, 12))
    loss = model.loss(features, torch.tensor([0, 0, 2, 2]))["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    assert isinstance(model, QueryPoolUniAd)
    assert model.queries.grad is not None
    touched = model.queries.grad.abs().sum(dim=(1, 2, 3)) > 0
    assert touched.tolist() == [True, False, True]


def test_every_position_may_look_at_the_class_token() -> None:
    model = small("class-token")
    assert isinstance(model, ClassTokenUniAd)
    assert model.blocked.shape == (31, 31)
    assert not model.blocked[-1].any()
    assert not model.blocked[:, -1].any()
    assert model.blocked[:-1, :-1].any()
    rebuilt = model.rebuild(torch.randn(1, 30, 12), torch.tensor([1]))
    assert rebuilt.shape == (1, 30, 12)
    for position in range(30):
        (gradient,) = torch.autograd.grad(
            rebuilt[0, position].norm(), model.class_tokens, retain_graph=True
        )
        assert gradient[1].abs().sum() > 0
        assert not gradient[[0, 2]].any()


def test_one_decoder_layer_beside_a_class_token_still_reads_nothing_of_its_window() -> None:
    """One decoder layer, no encoder: a position sees the token and the others, never itself."""
    model = small("class-token", encoder_layers=0, decoder_layers=1)
    assert isinstance(model, ClassTokenUniAd)
    tokens = torch.randn(1, 30, 12).requires_grad_()
    rebuilt = model.rebuild(tokens, torch.tensor([0]))
    (gradient,) = torch.autograd.grad(rebuilt[0, 14].norm(), tokens)
    assert torch.equal(gradient[0].abs().sum(dim=1) > 0, ~model.blocked[14, :-1])


def test_the_text_prompt_adds_the_projected_embedding_to_every_layers_queries() -> None:
    model = small("text-prompt")
    assert isinstance(model, TextPromptUniAd)
    unit = TEXTS / TEXTS.norm(dim=1, keepdim=True) * 6**0.5
    queries = model.layer_queries(1, torch.tensor([1]))
    for layer in range(2):
        weight = model.projection.weight[16 * layer : 16 * (layer + 1)]
        bias = model.projection.bias[16 * layer : 16 * (layer + 1)]
        expected = model.queries[layer] + weight @ unit[1] + bias
        torch.testing.assert_close(queries[layer, 0], expected)


def test_text_embeddings_are_kept_with_the_weights_and_take_no_gradient() -> None:
    model, other = small("text-prompt"), small("text-prompt", torch.zeros(3, 6))
    assert "text_embeddings" not in dict(model.named_parameters())
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.state_dict()["text_embeddings"], model.state_dict()["text_embeddings"])


def test_products_of_one_name_are_one_to_the_text_prompt() -> None:
    model = small("text-prompt", torch.ones(3, 6))
    features = Features(tokens=torch.randn(1, 30, 12))
    first, last = (model.predict(features, torch.tensor([k])).anomaly_map for k in (0, 2))
    assert torch.equal(first, last)
