"""Stages at their own resolution, the image with them, rows of both, the student's network."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from mintad.backbones import (
    Backbone,
    BackboneConfig,
    backbone_rows,
    create_backbone,
    create_student,
    pack,
    row_shape,
    unpack,
)

SMALL = "timm:test_efficientnet"


def build(sampling: str, name: str = SMALL, **options: Any) -> Backbone:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fields = {"name": name, "weights": "random", "stages": (1, 2), "sampling": sampling}
        return create_backbone(BackboneConfig.model_validate(fields | options))


@pytest.mark.parametrize("size", [(64, 64), (40, 72), (33, 57)])
@pytest.mark.parametrize("with_image", [False, True])
def test_the_features_are_every_stage_as_it_is(size: tuple[int, int], with_image: bool) -> None:
    backbone = build("native", image=with_image)
    images = torch.randn(2, 3, *size)
    with torch.inference_mode():
        maps = backbone.network.forward_intermediates(
            images, indices=[1, 2], intermediates_only=True
        )
        features = backbone(images)
    assert features.image is (images if with_image else None)
    assert all(torch.equal(a, b) for a, b in zip(features.stages, maps, strict=True))
    shape = backbone.shape(*size)
    assert (shape.kind, shape.image) == ("stages", with_image)
    assert shape.grids == tuple(tuple(stage.shape[2:]) for stage in maps)
    with pytest.raises(TypeError, match="stages, not tokens"):
        _ = features.tokens


@pytest.mark.parametrize("with_image", [False, True])
@pytest.mark.parametrize("sampling", ["area", "native"])
def test_features_come_back_from_their_rows(sampling: str, with_image: bool) -> None:
    backbone = build(sampling, image=with_image)
    shape = backbone.shape(40, 72)
    with torch.inference_mode():
        features = backbone(torch.randn(2, 3, 40, 72))
    rows = pack(features)
    assert rows.shape == (2, *row_shape(shape))
    again = unpack(rows, shape)
    assert again.kind == features.kind == shape.kind
    assert (again.image is not None) == (features.image is not None) == with_image
    if again.image is not None:
        assert torch.equal(again.image, features.image)
    if shape.kind == "tokens":
        assert torch.equal(again.tokens, features.tokens)
        assert with_image or row_shape(shape) == (shape.positions, shape.channels)
        return
    assert [tuple(stage.shape[2:]) for stage in again.stages] == list(shape.grids)
    assert all(torch.equal(a, b) for a, b in zip(again.stages, features.stages, strict=True))


def test_a_vision_transformer_gives_its_blocks_on_the_grid_of_its_patches() -> None:
    backbone = build("native", "timm:vit_tiny_patch16_224")
    assert backbone.shape(48, 80).grids == ((3, 5), (3, 5))
    with torch.inference_mode():
        features = backbone(torch.randn(1, 3, 48, 80))
    assert [stage.shape for stage in features.stages] == [(1, 192, 3, 5)] * 2


def test_samplings_have_digests_of_their_own() -> None:
    digests = {
        build(sampling, image=image).digest()
        for sampling in ("bilinear", "area", "native")
        for image in (False, True)
    }
    assert len(digests) == 6


def test_the_image_in_a_row_is_within_a_tenth_of_a_grey_level() -> None:
    backbone = build("native", image=True)
    preprocessing = backbone.preprocessing()
    height, width = preprocessing.height, preprocessing.width
    images = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    rows = backbone_rows(images, backbone, preprocessing, batch_size=2)
    features = unpack(torch.from_numpy(rows).float(), backbone.shape(height, width))
    assert features.image is not None
    pixels = features.image.numpy()
    std, mean = (np.array(v)[:, None, None] for v in (preprocessing.std, preprocessing.mean))
    np.testing.assert_allclose((pixels * std + mean).transpose(0, 2, 3, 1), images, atol=0.1)


def test_a_student_is_the_backbone_untrained_and_follows_the_seed() -> None:
    backbone = build("native", image=True)
    images = torch.randn(2, 3, 64, 64)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    students = [create_student(backbone.config, seed) for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(1), expected)
    for student in students:
        teacher = backbone.network.state_dict()
        own = student.network.state_dict()
        assert {key: value.shape for key, value in own.items()} == {
            key: value.shape for key, value in teacher.items()
        }
        assert all(parameter.requires_grad for parameter in student.parameters())
        assert [stage.shape[2:] for stage in student(images)] == [(16, 16), (8, 8)]
    weights = [student.network.conv_stem.weight for student in students]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], backbone.network.conv_stem.weight)
