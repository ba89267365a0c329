"""Stages at their own resolution, the image before them, and the student's network."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from mintad.backbones import Backbone, BackboneConfig, create_backbone
from mintad.backbones.extraction import backbone_tokens
from mintad.backbones.student import create_student

SMALL = "timm:test_efficientnet"


def build(sampling: str, name: str = SMALL, **options: Any) -> Backbone:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fields = {"name": name, "weights": "random", "stages": (1, 2), "sampling": sampling}
        return create_backbone(BackboneConfig.model_validate(fields | options))


@pytest.mark.parametrize("size", [(64, 64), (40, 72), (33, 57)])
@pytest.mark.parametrize("sampling", ["native", "native-image"])
def test_a_row_is_every_stage_as_it_is(size: tuple[int, int], sampling: str) -> None:
    backbone = build(sampling)
    images = torch.randn(2, 3, *size)
    with torch.inference_mode():
        maps = backbone.network.forward_intermediates(
            images, indices=[1, 2], intermediates_only=True
        )
        row = backbone(images)
    expected = [images, *maps] if sampling == "native-image" else maps
    assert torch.equal(row[..., 0, 0], torch.cat([part.flatten(1) for part in expected], dim=1))
    assert backbone.stage_grids(*size) == tuple(tuple(stage.shape[2:]) for stage in maps)
    assert backbone.token_channels(*size) == row.shape[1]
    assert backbone.grid(*size) == tuple(row.shape[2:]) == (1, 1)


def test_tokens_on_one_grid_are_as_wide_as_the_stages() -> None:
    backbone = build("area")
    assert backbone.stage_grids(64, 64) == ()
    assert backbone.token_channels(64, 64) == backbone.channels


def test_a_vision_transformer_gives_its_blocks_on_the_grid_of_its_patches() -> None:
    backbone = build("native", "timm:vit_tiny_patch16_224")
    assert backbone.stage_grids(48, 80) == ((3, 5), (3, 5))
    with torch.inference_mode():
        assert backbone(torch.randn(1, 3, 48, 80)).shape == (1, 2 * 192 * 15, 1, 1)


def test_samplings_have_digests_of_their_own() -> None:
    samplings = ("bilinear", "area", "native", "native-image")
    assert len({build(sampling).digest() for sampling in samplings}) == 4


def test_the_image_in_a_row_is_within_a_tenth_of_a_grey_level() -> None:
    backbone = build("native-image")
    preprocessing = backbone.preprocessing()
    height, width = preprocessing.height, preprocessing.width
    images = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    rows = backbone_tokens(images, backbone, preprocessing, batch_size=2)
    assert rows.shape == (2, 1, backbone.token_channels(height, width))
    pixels = rows[:, 0, : 3 * height * width].reshape(2, 3, height, width).astype(np.float32)
    std, mean = (np.array(v)[:, None, None] for v in (preprocessing.std, preprocessing.mean))
    np.testing.assert_allclose((pixels * std + mean).transpose(0, 2, 3, 1), images, atol=0.1)


def test_a_student_is_the_backbone_untrained_and_follows_the_seed() -> None:
    backbone = build("native-image")
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
