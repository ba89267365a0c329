"""What every registered model keeps, whatever the method."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mintad.backbones import row_shape, unpack
from mintad.errors import ConfigError
from mintad.features import Features, FeatureShape
from mintad.models import (
    AnomalyModel,
    Batches,
    Prediction,
    create_model,
    list_models,
    model_class,
)

SMALL_UNIAD: dict[str, Any] = {
    "dim": 16,
    "heads": 2,
    "feed_forward": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "mask_window": 3,
    "dropout": 0.0,
}
SMALL_SNL: dict[str, Any] = {"smoothing": 1.0, "centres": 5}
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
    },
    "uniad": SMALL_UNIAD,
    "uniad-query-pool": SMALL_UNIAD,
    "uniad-class-token": SMALL_UNIAD,
    "uniad-text-prompt": SMALL_UNIAD,
    "stfpm": {},
    "rd4ad": {"smoothing": 1.0},
    "snl-stfpm": SMALL_SNL,
    "snl-rd4ad": SMALL_SNL,
}
SHAPE = FeatureShape(stage_channels=(4, 8), grids=((4, 5),), image_size=(32, 40))
PRODUCTS = 3
NEED_PRODUCT = [name for name in list_models() if model_class(name).requirements.product]


class SmallStudent(nn.Module):
    """A convolution per stage, on the image brought to the stage's grid."""

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.grids = shape.grids
        self.convolutions = nn.ModuleList(
            nn.Conv2d(3, c, 3, padding=1) for c in shape.stage_channels
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        return [
            convolution(nn.functional.adaptive_avg_pool2d(images, grid))
            for convolution, grid in zip(self.convolutions, self.grids, strict=True)
        ]


def small(
    name: str, shape: FeatureShape = SHAPE, products: int = PRODUCTS, **switches: Any
) -> AnomalyModel:
    torch.manual_seed(0)
    shape, needs = shape_for(name, shape), model_class(name).requirements
    parts: dict[str, Any] = {"texts": torch.randn(products, 6)} if needs.text else {}
    if needs.student:
        parts["student"] = SmallStudent(shape)
    return create_model(name, SMALL[name] | switches, shape, products, **parts)


def shape_for(name: str, shape: FeatureShape = SHAPE) -> FeatureShape:
    """The shape as the method takes it: where it needs stages, the first at twice the grid."""
    needs = model_class(name).requirements
    if needs.features == "tokens":
        return shape
    (rows, columns), *_ = shape.grids
    grids = ((2 * rows, 2 * columns), (rows, columns))
    return shape.model_copy(update={"kind": "stages", "grids": grids, "image": needs.image})


def data(
    shape: FeatureShape = SHAPE, count: int = 12, kinds: int = PRODUCTS
) -> tuple[Features, Tensor]:
    generator = torch.Generator().manual_seed(1)
    products = torch.arange(count) % kinds
    size = row_shape(shape)
    centres = torch.randn(kinds, *size, generator=generator)
    noise = torch.randn(count, *size, generator=generator)
    return unpack(centres[products] + 0.1 * noise, shape), products


def only_product(features: Features, products: Tensor) -> Batches:
    def batches(product: int | None = None) -> list[tuple[Features, Tensor]]:
        chosen = (
            torch.ones_like(products, dtype=torch.bool) if product is None else products == product
        )
        return [(features[chosen], products[chosen])]

    return batches


def fitted(name: str, **switches: Any) -> AnomalyModel:
    model = small(name, **switches)
    model.fit(only_product(*data(model.shape)))
    return model


@pytest.mark.parametrize("name", list_models())
def test_training_steps_lower_the_loss(name: str) -> None:
    model = fitted(name).train()
    features, products = data(model.shape)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        torch.manual_seed(0)
        parts = model.loss(features, products)
        optimizer.zero_grad()
        parts["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(parts["loss"].item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", list_models())
def test_prediction_has_the_stated_shapes_and_is_finite(name: str) -> None:
    model = fitted(name).eval()
    features, products = data(model.shape)
    prediction = model.predict(features, products if model.requirements.product else None)
    assert prediction.anomaly_map.shape == (12, 32, 40)
    assert prediction.raw_score.shape == (12,)
    assert prediction.anomaly_map.isfinite().all()
    assert prediction.raw_score.isfinite().all()
    if prediction.product_logits is not None:
        assert prediction.product_logits.shape == (12, 3)


@pytest.mark.parametrize("name", list_models())
def test_a_batch_of_one_gives_what_the_whole_batch_gives(name: str) -> None:
    model = fitted(name).eval()
    features, products = data(model.shape)
    whole = model.predict(features, products)
    for i in range(3):
        alone = model.predict(features[i : i + 1], products[i : i + 1])
        torch.testing.assert_close(alone.anomaly_map[0], whole.anomaly_map[i], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", list_models())
def test_a_state_dict_restores_the_model_exactly(name: str) -> None:
    model, other = fitted(name).eval(), small(name).eval()
    other.load_state_dict(model.state_dict())
    features, products = data(model.shape)
    assert torch.equal(
        model.predict(features, products).anomaly_map, other.predict(features, products).anomaly_map
    )


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        *((name, {}) for name in list_models()),
        ("mint-ad", {"standardise": True}),
        ("mint-ad", {"start": "subspaces", "rank": 2, "code": 8}),
        ("uniad", {"standardise": True}),
        ("rd4ad", {"standardise": True}),
    ],
)
def test_permuting_the_product_numbers_permutes_nothing_else(
    name: str, switches: dict[str, Any]
) -> None:
    count = 7  # no other size of the model, so that the axes of the products can be told
    features, products = data(shape_for(name), count=4 * count, kinds=count)
    number = torch.randperm(count, generator=torch.Generator().manual_seed(2))
    model, other = (small(name, products=count, **switches) for _ in range(2))
    for value, permuted in zip(
        model.state_dict().values(), other.state_dict().values(), strict=True
    ):
        for axis in range(value.ndim):
            if value.shape[axis] == count:
                permuted.index_copy_(axis, number, value.clone())

    def trained(model: AnomalyModel, numbers: Tensor) -> Prediction:
        model.fit(only_product(features, numbers))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        torch.manual_seed(0)
        model.loss(features, numbers)["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return model.eval().predict(features, numbers)

    plain, renamed = trained(model, products), trained(other, number[products])
    torch.testing.assert_close(renamed.anomaly_map, plain.anomaly_map, atol=1e-4, rtol=1e-4)
    if plain.product_logits is not None:
        assert renamed.product_logits is not None
        torch.testing.assert_close(
            renamed.product_logits[:, number], plain.product_logits, atol=1e-3, rtol=1e-3
        )


@pytest.mark.parametrize("name", NEED_PRODUCT)
def test_a_method_that_needs_the_product_says_so(name: str) -> None:
    model = fitted(name).eval()
    features, products = data()
    for unknown in (None, torch.where(products == 1, -1, products)):
        with pytest.raises(ConfigError, match=r"product of every image.*--give-product"):
            model.predict(features, unknown)


@pytest.mark.parametrize("name", NEED_PRODUCT)
def test_a_method_that_needs_the_product_rebuilds_another_one_otherwise(name: str) -> None:
    model = fitted(name).eval()
    features, products = data()
    own, other = (model.predict(features, (products + shift) % 3).anomaly_map for shift in (0, 1))
    assert not torch.allclose(own, other, rtol=1e-3)


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("grid", [(1, 1), (3, 7)])
def test_any_grid_works(name: str, grid: tuple[int, int]) -> None:
    model = small(name, SHAPE.model_copy(update={"grids": (grid,)}))
    features, products = data(model.shape)
    model.fit(only_product(features, products))
    assert model.loss(features, products)["loss"].isfinite()
    assert model.eval().predict(features, products).anomaly_map.shape == (12, 32, 40)


@pytest.mark.parametrize("name", list_models())
def test_features_of_another_kind_are_refused_with_the_sampling_to_set(name: str) -> None:
    needed = shape_for(name)
    wrong = [
        needed.model_copy(update={"kind": "stages" if needed.kind == "tokens" else "tokens"}),
        needed.model_copy(update={"image": not needed.image}),
    ]
    for shape in wrong:
        with pytest.raises(ConfigError, match=r"backbone\.sampling"):
            create_model(name, SMALL[name], shape, PRODUCTS)


@pytest.mark.parametrize("name", ["mint-ad", "uniad", "uniad-class-token"])
def test_a_method_that_sees_one_size_refuses_two(name: str) -> None:
    two = SHAPE.model_copy(update={"grids": ((4, 5), (2, 3))})
    with pytest.raises(ConfigError, match=r"one size; the recipe's backbone gives 2.*also_at"):
        small(name, two)


def test_the_closed_form_takes_the_mean_over_the_sizes_that_it_sees() -> None:
    switches = {"start": "subspaces", "transformer": False, "rank": 2, "code": 8}
    two = SHAPE.model_copy(update={"grids": ((4, 5), (2, 3))})
    model = small("mint-ad", two, **switches)
    features, products = data(two)
    model.fit(only_product(features, products))
    broken = features.tokens.clone()
    broken[:, 20:] += 1.0  # the second size alone
    good, bad = (
        model.eval().predict(Features(tokens=tokens), products)
        for tokens in (features.tokens, broken)
    )
    rise = bad.anomaly_map - good.anomaly_map
    assert good.anomaly_map.shape == (12, 32, 40)
    assert (rise > 0).all()


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="mint-ad"):
        create_model("mint", {}, SHAPE, PRODUCTS)


def test_an_unknown_switch_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"model\.depth.*encoder_layers"):
        create_model("mint-ad", {"depth": 3}, SHAPE, PRODUCTS)


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
        {"image_score": "top-cells"},
        {"image_score": "pooled-max"},
    ],
)
def test_each_switch_of_mint_ad_trains_and_predicts(switches: dict[str, Any]) -> None:
    if switches.get("query_network") == "mlp":
        pytest.skip("383 M parameters at any size: counted on the meta device instead")
    model = fitted("mint-ad", **switches)
    features, products = data()
    model.loss(features, products)["loss"].backward()  # type: ignore[no-untyped-call]
    assert model.eval().predict(features).raw_score.isfinite().all()


def test_mint_ad_needs_no_product_to_predict() -> None:
    model = fitted("mint-ad").eval()
    features, products = data()
    assert torch.equal(
        model.predict(features).anomaly_map, model.predict(features, products).anomaly_map
    )


def test_the_fixed_projection_takes_no_gradient() -> None:
    model = fitted("mint-ad", adaptor=False)
    assert not any(p.requires_grad for name, p in model.named_parameters() if "adaptor" in name)


def test_standardise_finds_mean_and_deviation_of_each_channel() -> None:
    model = fitted("mint-ad", standardise=True)
    features, _ = data()
    flat = features.tokens.flatten(0, 1)
    torch.testing.assert_close(model.standardisation.mean, flat.mean(dim=0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        model.standardisation.scale, flat.std(dim=0, correction=0), atol=1e-5, rtol=1e-5
    )


def test_the_closed_form_alone_recognises_and_scores_without_a_step() -> None:
    model = fitted("mint-ad", start="subspaces", transformer=False, rank=2, code=8).eval()
    assert not model.trainable
    features, products = data()
    broken = features.tokens.clone()
    broken[:, 7] += 2.0
    good, bad = model.predict(features), model.predict(Features(tokens=broken))
    assert good.product_logits is not None
    assert torch.equal(good.product_logits.argmax(dim=1), products)
    assert (bad.raw_score > good.raw_score).all()
    assert (bad.anomaly_map.flatten(1).argmax(dim=1) // 40 // 8 == 1).all()
    assert (bad.anomaly_map.flatten(1).argmax(dim=1) % 40 // 8 == 2).all()


def test_a_given_product_replaces_the_recognised_one() -> None:
    model = fitted("mint-ad", start="subspaces", transformer=False, rank=2, code=8).eval()
    features, products = data()
    wrong = (products + 1) % 3
    assert (model.predict(features, wrong).raw_score > model.predict(features).raw_score).all()
    unknown = torch.full_like(products, -1)
    assert torch.equal(
        model.predict(features, unknown).anomaly_map, model.predict(features).anomaly_map
    )


def test_held_out_scores_are_those_of_a_fit_without_the_image() -> None:
    model = fitted("mint-ad", start="subspaces", transformer=False, rank=2, code=8).eval()
    features, products = data(count=30)
    batches = only_product(features, products)
    scores = model.held_out_scores(batches, 1)
    assert scores is not None
    rows = torch.nonzero(products == 1).flatten()
    kept = torch.ones(30, dtype=torch.bool)
    kept[rows[::3]] = False
    other = small("mint-ad", start="subspaces", transformer=False, rank=2, code=8).eval()
    other.fit(only_product(features[kept], products[kept]))
    expected = other.predict(features[rows[::3]], products[rows[::3]]).raw_score
    torch.testing.assert_close(scores[::3], expected, atol=1e-3, rtol=1e-3)
    model.fit(batches)
    assert scores.mean() > model.predict(features[rows]).raw_score.mean()


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"transformer": False}, "nothing to rebuild with"),
        ({"start": "subspaces", "target": "adapted"}, r"switches\.target=raw"),
        ({"dim": 10, "heads": 4}, "multiple of heads"),
        ({"norm": "sideways"}, r"model\.norm"),
    ],
)
def test_switches_that_cannot_be_are_refused_with_the_mend(
    switches: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        small("mint-ad", **switches)


def test_what_has_not_learned_to_tell_products_names_none() -> None:
    model = small("mint-ad", classification=False).eval()
    features, products = data()
    assert model.predict(features, products).product_logits is None


CLOSED_FORM: dict[str, Any] = {"start": "subspaces", "rank": 2, "code": 8}


@pytest.mark.parametrize(
    ("name", "switches", "has"),
    [
        ("mint-ad", {}, (True, True, True)),
        ("mint-ad", {"target": "adapted"}, (True, True, True)),
        ("mint-ad", {"class_query": False}, (True, False, True)),
        ("mint-ad", {"classification": False}, (True, True, False)),
        ("mint-ad", CLOSED_FORM, (True, True, True)),
        ("mint-ad", CLOSED_FORM | {"transformer": False}, (True, False, True)),
        ("uniad", {}, (False, False, False)),
        ("uniad-query-pool", {}, (False, False, False)),
    ],
)
@torch.inference_mode()
def test_the_map_is_the_distance_between_features_and_their_reconstruction(
    name: str, switches: dict[str, Any], has: tuple[bool, bool, bool]
) -> None:
    """On the scale of each product where there are subspaces; tokens, queries, products beside."""
    model = fitted(name, **switches).eval()
    features, products = data()
    seen = model.reconstruction(features, products)
    assert seen is not None
    error = seen.rebuilt - seen.features
    if CLOSED_FORM.items() <= switches.items():
        error = error / model.subspaces.scale[products][:, None]
    said = model.predict(features, products)
    torch.testing.assert_close(
        model.upsample(error.norm(dim=2).unflatten(1, SHAPE.grids[0])),
        said.anomaly_map,
        rtol=1e-3,
        atol=1e-3,
    )
    assert tuple(part is not None for part in seen[2:]) == has
    if said.product_logits is not None:
        assert torch.equal(seen.product_logits, said.product_logits)


@torch.inference_mode()
def test_a_method_that_rebuilds_nothing_has_no_reconstruction() -> None:
    model = small("stfpm").eval()
    assert model.reconstruction(data(model.shape)[0]) is None
