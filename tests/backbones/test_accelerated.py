from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from mintad.backbones import (
    Backbone,
    BackboneConfig,
    create_backbone,
    extraction,
    pack,
    stream_features,
)
from mintad.backbones.accelerated import Packed, accelerate
from mintad.data import MemoryImage, Sample
from mintad.errors import WeightsError


def build(
    sampling: str = "area", image: bool = False, also_at: list[tuple[int, int]] | None = None
) -> Backbone:
    config = BackboneConfig.model_validate(
        {
            "name": "timm:test_efficientnet",
            "weights": "random",
            "input_size": (64, 48),
            "stages": (1, 2),
            "stride": 8,
            "sampling": sampling,
            "image": image,
            "also_at": also_at or [],
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the weights are random
        return create_backbone(config)


def pictures(count: int) -> list[Sample]:
    samples = []
    for seed in range(count):
        stream = io.BytesIO()
        pixels = np.random.default_rng(seed).integers(0, 256, (48, 56, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(stream, "PNG")
        image = MemoryImage(f"{seed}", stream.getvalue())
        samples.append(Sample(image=image, product="a", split="train", label=0))
    return samples


@pytest.mark.parametrize(
    ("sampling", "image", "also_at"),
    [
        ("area", False, []),
        ("bilinear", False, []),
        ("native", False, []),
        ("native", True, []),
        ("area", False, [(32, 40)]),
        ("area", True, [(32, 40)]),
    ],
)
def test_the_compiled_backbone_gives_the_features_of_torch(
    sampling: str, image: bool, also_at: list[tuple[int, int]]
) -> None:
    backbone = build(sampling, image, also_at)
    images = torch.randn(5, 3, 64, 48)
    network = accelerate(backbone, images[:1])
    assert not isinstance(network, Packed)
    with torch.inference_mode():
        expected = pack(backbone(images))
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(network(images[3:4]), network(images)[3:4], atol=0, rtol=0)


def test_many_images_have_the_features_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = build()
    samples = pictures(5)
    few = [part for _, part in stream_features(samples, backbone, backbone.preprocessing())]
    monkeypatch.setattr(extraction, "WORTH_COMPILING", 5)
    many = [
        part
        for _, part in stream_features(samples, backbone, backbone.preprocessing(), batch_size=2)
    ]
    np.testing.assert_allclose(np.concatenate(many), np.concatenate(few), atol=2e-3, rtol=2e-3)


def test_damaged_weights_are_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = build()
    for parameter in backbone.parameters():
        parameter.fill_(float("nan"))
    assert isinstance(accelerate(backbone, torch.zeros(1, 3, 64, 48)), Packed)
    monkeypatch.setattr(extraction, "WORTH_COMPILING", 1)
    with pytest.raises(WeightsError, match="damaged"):
        list(stream_features(pictures(1), backbone, backbone.preprocessing()))
