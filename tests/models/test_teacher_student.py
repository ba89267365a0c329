"""STFPM, RD4AD and SNL on both: rows to stages, losses, maps and every switch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.layers.distillation import cosine_distance, squared_distance
from mintad.models import InputShape, create_model
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
    shape = InputShape(
        stage_channels=CHANNELS,
        grid=(1, 1),
        image_size=(24, 40),
        products=2,
        stage_grids=GRIDS,
        with_image=forward,
    )
    torch.manual_seed(0)
    model = create_model(name, switches, shape)
    assert isinstance(model, TeacherStudent)
    if forward:
        model.set_student(Student())
    return model


def rows(model: TeacherStudent, count: int = 3, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(count, 1, model.shape.channels, generator=generator)
    return values, torch.arange(count) % 2


def test_a_row_holds_the_image_and_then_each_stage() -> None:
    model = build("stfpm")
    image = torch.randn(2, 3, 24, 40)
    stages = [torch.randn(2, c, *grid) for c, grid in zip(CHANNELS, GRIDS, strict=True)]
    row = torch.cat([part.flatten(1) for part in (image, *stages)], dim=1)[:, None]
    assert row.shape[2] == model.shape.channels
    assert model.shape.positions == 1
    assert torch.equal(model.images(row), image)
    for found, stage in zip(model.stages(row), stages, strict=True):
        assert torch.equal(found, stage)


@pytest.mark.parametrize("name", METHODS)
def test_a_student_has_the_shapes_of_its_teacher(name: str) -> None:
    model = build(name)
    values, _ = rows(model)
    teacher = model.stages(values)
    student = model.student_stages(values, teacher)
    assert [stage.shape for stage in student] == [stage.shape for stage in teacher]


def test_stfpm_sums_its_loss_over_the_stages_and_multiplies_their_maps() -> None:
    model = build("stfpm").eval()
    values, products = rows(model)
    teacher = model.stages(values)
    student = model.student_stages(values, teacher)
    distances = [squared_distance(t, s).detach() for t, s in zip(teacher, student, strict=True)]
    expected = sum(float(distance.mean()) for distance in distances)
    assert model.loss(values, products)["loss"].item() == pytest.approx(expected, abs=1e-5)
    product = torch.ones(3, 24, 40)
    for distance in distances:
        product *= F.interpolate(distance[:, None], (24, 40), mode="bilinear")[:, 0]
    found = model.predict(values)
    torch.testing.assert_close(found.anomaly_map, product)
    torch.testing.assert_close(found.raw_score, product.amax(dim=(1, 2)))


def test_rd4ad_adds_the_maps_of_the_stages_and_smooths_them() -> None:
    model, rough = build("rd4ad").eval(), build("rd4ad", smoothing=0.0).eval()
    values, _ = rows(model)
    teacher = model.stages(values)
    student = model.student_stages(values, teacher)
    total = torch.zeros(3, 24, 40)
    for t, s in zip(teacher, student, strict=True):
        total += F.interpolate(cosine_distance(t, s)[:, None], (24, 40), mode="bilinear")[:, 0]
    torch.testing.assert_close(rough.predict(values).anomaly_map, total)
    smoothed = model.predict(values).anomaly_map
    assert smoothed.std() < 0.7 * total.std()
    assert smoothed.mean().item() == pytest.approx(total.mean().item(), rel=0.1)


def test_rd4ad_standardises_every_stage() -> None:
    model = build("rd4ad", standardise=True)
    values, products = rows(model, count=8)
    values = 5 * values + 2
    model.fit(lambda product=None: [(values[:5], products[:5]), (values[5:], products[5:])])
    for stage in model.stages(values):
        flat = stage.movedim(1, 0).flatten(1)
        torch.testing.assert_close(flat.mean(dim=1), torch.zeros(len(flat)), atol=1e-4, rtol=0)
        torch.testing.assert_close(flat.std(dim=1, correction=0), torch.ones(len(flat)))


@pytest.mark.parametrize("name", ["stfpm", "rd4ad"])
def test_snl_without_its_components_is_its_baseline(name: str) -> None:
    maps = {"combine": "sum", "smoothing": 2.0}
    baseline, snl = build(name, **maps), build(f"snl-{name}", **maps, **OFF)
    snl.load_state_dict(baseline.state_dict())
    values, products = rows(baseline)
    one, other = baseline.loss(values, products), snl.loss(values, products)
    assert one.keys() == other.keys() == {"distillation", "loss"}
    assert torch.equal(one["loss"], other["loss"])
    one_map, other_map = (m.eval().predict(values).anomaly_map for m in (baseline, snl))
    assert torch.equal(one_map, other_map)


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
    values, products = rows(model)
    found = model.loss(values, products)
    assert found.keys() == {"distillation", "loss"} | parts
    whole = sum(value.item() for part, value in found.items() if part != "loss")
    assert found["loss"].item() == pytest.approx(whole, abs=1e-5)
    found["loss"].backward()  # type: ignore[no-untyped-call]
    for parameter in model.parameters():
        assert parameter.grad is not None
    grown = len(model.state_dict()) - len(plain.state_dict())
    assert (grown > 0) == bool(switches.get("cram"))
    if not grown:
        model.load_state_dict(plain.state_dict())
        one, other = (m.eval().predict(values).anomaly_map for m in (model, plain))
        assert torch.equal(one, other) == (not switches.get("affinity_map"))


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
    values, products = rows(build("snl-rd4ad"))
    one = build("snl-rd4ad", **{weight: 1.0}).loss(values, products)
    three = build("snl-rd4ad", **{weight: 3.0}).loss(values, products)
    torch.testing.assert_close(three[part], 3 * one[part])
    torch.testing.assert_close(three["loss"], one["loss"] + 2 * one[part])


def test_the_affinity_map_is_added_with_its_weight() -> None:
    one, three = (build("snl-rd4ad", affinity_map_weight=w).eval() for w in (1.0, 3.0))
    none = build("snl-rd4ad", affinity_map=False).eval()
    values, _ = rows(one)
    base, single, triple = (m.predict(values).anomaly_map for m in (none, one, three))
    assert (single > base).all()
    torch.testing.assert_close(triple - base, 3 * (single - base), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_leaves_the_losses_in_float32(name: str) -> None:
    model = build(name)
    values, products = rows(model)
    exact = model.loss(values, products)["loss"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model.loss(values, products)
    assert {value.dtype for value in found.values()} == {torch.float32}
    assert found["loss"].item() == pytest.approx(exact.item(), rel=0.05)
    found["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_of_one_trains(name: str) -> None:
    model = build(name).train()
    values, products = rows(model, count=1)
    model.loss(values, products)["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", ["rd4ad", "snl-rd4ad"])
@pytest.mark.parametrize("grids", [((9, 9), (9, 9)), ((13, 7), (5, 3)), ((10, 4), (3, 4))])
def test_the_reverse_student_mirrors_any_stages(
    name: str, grids: tuple[tuple[int, int], ...]
) -> None:
    shape = InputShape(
        stage_channels=(3, 5), grid=(1, 1), image_size=(30, 20), products=1, stage_grids=grids
    )
    model = create_model(name, {}, shape)
    assert isinstance(model, TeacherStudent)
    values = torch.randn(2, 1, shape.channels)
    assert model.loss(values, torch.zeros(2, dtype=torch.int64))["loss"].isfinite()
    assert model.eval().predict(values).anomaly_map.shape == (2, 30, 20)


@pytest.mark.parametrize("name", METHODS)
def test_a_trained_student_finds_a_defect_where_it_is(name: str) -> None:
    model = build(name, smoothing=1.0)
    values, products = rows(model, count=8)
    with torch.no_grad():  # one image with noise, so that all good images are alike
        values = values[:1] + 0.1 * values
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        model.loss(values, products)["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    broken = values.clone()
    start = model.shape.image_values
    for channels, (height, width) in zip(CHANNELS, GRIDS, strict=True):
        stop = start + channels * height * width
        stage = broken[:, 0, start:stop].view(-1, channels, height, width)
        stage[:, :, -(height // 3) :, -(width // 3) :] *= -1  # the lower right corner
        start = stop
    good, bad = model.eval().predict(values), model.predict(broken)
    assert (bad.raw_score > 1.2 * good.raw_score).all()
    place = (bad.anomaly_map - good.anomaly_map).flatten(1).argmax(dim=1)
    assert (place // 40 >= 12).all()
    assert (place % 40 >= 20).all()
