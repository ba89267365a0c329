"""STFPM, RD4AD and SNL on both: stages, losses, maps and every switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.backbones import row_shape, unpack
from mintad.features import Features, FeatureShape
from mintad.layers.distillation import cosine_distance, squared_distance
from mintad.models import create_model
from mintad.models.teacher_student import TeacherStudent

CHANNELS, GRIDS = (3, 4, 6), ((12, 20), (6, 10), (3, 5))
METHODS = ("stfpm", "rd4ad", "snl-stfpm", "snl-rd4ad")
OFF = {
    "spatial_channel": False,
    "intra_affinity": False,
    "inter_affinity": False,
    "cram": False,
    "affinity_map": False,
}


class Student(nn.Module):
    """A convolution per stage, each on the one before."""

    def __init__(self) -> None:
        super().__init__()
        widths = zip((3, *CHANNELS), CHANNELS, strict=False)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 3, 2, padding=1), nn.BatchNorm2d(o)) for i, o in widths
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = [images]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        return maps[1:]


def build(name: str, **switches: Any) -> TeacherStudent:
    forward = name.endswith("stfpm")
    shape = FeatureShape(
        kind="stages",
        stage_channels=CHANNELS,
        grids=GRIDS,
        image_size=(24, 40),
        image=forward,
    )
    torch.manual_seed(0)
    parts = {"student": Student()} if forward else {}
    model = create_model(name, switches, shape, 2, **parts)
    assert isinstance(model, TeacherStudent)
    return model


def data(model: TeacherStudent, count: int = 3, seed: int = 1) -> tuple[Features, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, *row_shape(model.shape), generator=generator)
    return unpack(rows, model.shape), torch.arange(count) % 2


def changed(features: Features, change: Callable[[Tensor], Tensor]) -> Features:
    """The features with every stage, and the image, changed."""
    image = None if features.image is None else change(features.image)
    return Features(stages=[change(stage) for stage in features.stages], image=image)


@pytest.mark.parametrize("name", METHODS)
def test_a_student_has_the_shapes_of_its_teacher(name: str) -> None:
    model = build(name)
    features, _ = data(model)
    teacher = model.teacher_stages(features)
    student = model.student_stages(features, teacher)
    assert [stage.shape for stage in student] == [stage.shape for stage in teacher]


def test_stfpm_sums_its_loss_over_the_stages_and_multiplies_their_maps() -> None:
    model = build("stfpm").eval()
    features, products = data(model)
    teacher = model.teacher_stages(features)
    student = model.student_stages(features, teacher)
    distances = [squared_distance(t, s).detach() for t, s in zip(teacher, student, strict=True)]
    expected = sum(float(distance.mean()) for distance in distances)
    assert model.loss(features, products)["loss"].item() == pytest.approx(expected, abs=1e-5)
    product = torch.ones(3, 24, 40)
    for distance in distances:
        product *= F.interpolate(distance[:, None], (24, 40), mode="bilinear")[:, 0]
    said = model.predict(features)
    torch.testing.assert_close(said.anomaly_map, product)
    torch.testing.assert_close(said.raw_score, product.amax(dim=(1, 2)))


def test_rd4ad_adds_the_maps_of_the_stages_and_smooths_them() -> None:
    model, rough = build("rd4ad").eval(), build("rd4ad", smoothing=0.0).eval()
    features, _ = data(model)
    teacher = model.teacher_stages(features)
    student = model.student_stages(features, teacher)
    total = torch.zeros(3, 24, 40)
    for t, s in zip(teacher, student, strict=True):
        total += F.interpolate(cosine_distance(t, s)[:, None], (24, 40), mode="bilinear")[:, 0]
    torch.testing.assert_close(rough.predict(features).anomaly_map, total)
    smoothed = model.predict(features).anomaly_map
    assert smoothed.std() < 0.7 * total.std()
    assert smoothed.mean().item() == pytest.approx(total.mean().item(), rel=0.1)


def test_rd4ad_standardises_every_stage() -> None:
    model = build("rd4ad", standardise=True)
    features, products = data(model, count=8)
    features = changed(features, lambda stage: 5 * stage + 2)
    model.fit(lambda product=None: [(features[:5], products[:5]), (features[5:], products[5:])])
    for stage in model.teacher_stages(features):
        flat = stage.movedim(1, 0).flatten(1)
        torch.testing.assert_close(flat.mean(dim=1), torch.zeros(len(flat)), atol=1e-4, rtol=0)
        torch.testing.assert_close(flat.std(dim=1, correction=0), torch.ones(len(flat)))


@pytest.mark.parametrize("name", ["stfpm", "rd4ad"])
def test_snl_without_its_components_is_its_baseline(name: str) -> None:
    maps = {"combine": "sum", "smoothing": 2.0}
    baseline, snl = build(name, **maps), build(f"snl-{name}", **maps, **OFF)
    snl.load_state_dict(baseline.state_dict())
    features, products = data(baseline)
    plain, switched_off = (model.loss(features, products) for model in (baseline, snl))
    assert plain.keys() == switched_off.keys() == {"distillation", "loss"}
    assert torch.equal(plain["loss"], switched_off["loss"])
    first, second = (m.eval().predict(features).anomaly_map for m in (baseline, snl))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", ["snl-stfpm", "snl-rd4ad"])
@pytest.mark.parametrize(
    ("switches", "parts"),
    [
        ({"spatial_channel": True}, {"spatial", "channel"}),
        ({"intra_affinity": True}, {"intra"}),
        ({"inter_affinity": True, "inter_reading": "images"}, {"inter"}),
        ({"inter_affinity": True, "inter_reading": "networks"}, {"inter"}),
        ({"cram": True}, set()),
        ({"cram": True, "cram_kind": "gate"}, set()),
        ({"affinity_map": True}, set()),
    ],
)
def test_each_component_comes_alone(name: str, switches: dict[str, Any], parts: set[str]) -> None:
    model, plain = build(name, **OFF | switches), build(name, **OFF)
    features, products = data(model)
    losses = model.loss(features, products)
    assert losses.keys() == {"distillation", "loss"} | parts
    whole = sum(value.item() for part, value in losses.items() if part != "loss")
    assert losses["loss"].item() == pytest.approx(whole, abs=1e-5)
    losses["loss"].backward()  # type: ignore[no-untyped-call]
    for parameter in model.parameters():
        assert parameter.grad is not None
    grown = len(model.state_dict()) - len(plain.state_dict())
    assert (grown > 0) == bool(switches.get("cram"))
    if not grown:
        model.load_state_dict(plain.state_dict())
        with_it, without = (m.eval().predict(features).anomaly_map for m in (model, plain))
        assert torch.equal(with_it, without) == (not switches.get("affinity_map"))


@pytest.mark.parametrize(
    ("weight", "part"),
    [
        ("spatial_weight", "spatial"),
        ("channel_weight", "channel"),
        ("intra_weight", "intra"),
        ("inter_weight", "inter"),
    ],
)
def test_a_weight_scales_its_part(weight: str, part: str) -> None:
    features, products = data(build("snl-rd4ad"))
    once = build("snl-rd4ad", **{weight: 1.0}).loss(features, products)
    thrice = build("snl-rd4ad", **{weight: 3.0}).loss(features, products)
    torch.testing.assert_close(thrice[part], 3 * once[part])
    torch.testing.assert_close(thrice["loss"], once["loss"] + 2 * once[part])


def test_the_affinity_map_is_added_with_its_weight() -> None:
    once, thrice = (build("snl-rd4ad", affinity_map_weight=w).eval() for w in (1.0, 3.0))
    none = build("snl-rd4ad", affinity_map=False).eval()
    features, _ = data(once)
    base, single, triple = (m.predict(features).anomaly_map for m in (none, once, thrice))
    assert (single > base).all()
    torch.testing.assert_close(triple - base, 3 * (single - base), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_leaves_the_losses_in_float32(name: str) -> None:
    model = build(name)
    features, products = data(model)
    exact = model.loss(features, products)["loss"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model.loss(features, products)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert losses["loss"].item() == pytest.approx(exact.item(), rel=0.05)
    losses["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_of_one_trains(name: str) -> None:
    model = build(name).train()
    features, products = data(model, count=1)
    model.loss(features, products)["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", ["rd4ad", "snl-rd4ad"])
@pytest.mark.parametrize("grids", [((9, 9), (9, 9)), ((13, 7), (5, 3)), ((10, 4), (3, 4))])
def test_the_reverse_student_mirrors_any_stages(
    name: str, grids: tuple[tuple[int, int], ...]
) -> None:
    shape = FeatureShape(kind="stages", stage_channels=(3, 5), grids=grids, image_size=(30, 20))
    model = create_model(name, {}, shape, 1)
    assert isinstance(model, TeacherStudent)
    features, _ = data(model, count=2)
    assert model.loss(features, torch.zeros(2, dtype=torch.int64))["loss"].isfinite()
    assert model.eval().predict(features).anomaly_map.shape == (2, 30, 20)


@pytest.mark.parametrize("name", METHODS)
def test_a_trained_student_finds_a_defect_where_it_is(name: str) -> None:
    model = build(name, smoothing=1.0)
    features, products = data(model, count=8)
    # one image with noise, so that all good images are alike
    features = changed(features, lambda part: part[:1] + 0.1 * part)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        model.loss(features, products)["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def turned(stage: Tensor) -> Tensor:
        height, width = stage.shape[2:]
        stage = stage.clone()
        stage[:, :, -(height // 3) :, -(width // 3) :] *= -1  # the lower right corner
        return stage

    broken = Features(stages=[turned(stage) for stage in features.stages], image=features.image)
    good, bad = model.eval().predict(features), model.predict(broken)
    assert (bad.raw_score > 1.2 * good.raw_score).all()
    place = (bad.anomaly_map - good.anomaly_map).flatten(1).argmax(dim=1)
    assert (place // 40 >= 12).all()
    assert (place % 40 >= 20).all()
