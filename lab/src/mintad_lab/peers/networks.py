"""anomalib's methods built for a peer, with mintad's backbone where the method takes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import timm
from torch import nn

from mintad.backbones import BackboneConfig, create_backbone
from mintad.errors import ConfigError
from mintad_lab.peers.catalogue import BACKBONE, Peer

SHALLOW, MIDDLE, DEEP = 1, 2, 3
"""Stages of the backbone: strides of 4, 8 and 16 pixels."""

_NOTHING = {"post_processor": False, "evaluator": False, "visualizer": False}
_BARE = {"pre_processor": False, **_NOTHING}


def build(peer: Peer) -> Any:
    """anomalib's Lightning module, whose `model` takes images `(B, 3, size, size)`.

    anomalib resizes, normalises, thresholds and draws nothing: mintad does the first two, and
    the maps and scores stay raw. Raises whatever anomalib raises, and `ConfigError` where the
    weights do not fit its network.
    """
    if peer.backbone != "ours":
        return _BUILDERS[peer.name](peer, "")
    with _our_weights() as name:
        return _BUILDERS[peer.name](peer, name)


@contextmanager
def _our_weights() -> Iterator[str]:
    """Lets timm build our backbone with our weights, wherever anomalib asks for trained ones."""
    backbone = create_backbone(BackboneConfig(name=BACKBONE))
    name = backbone.spec.timm_name.split(".")[0]
    state = backbone.network.state_dict()
    original = timm.create_model

    def create_model(model_name: str, pretrained: bool = False, **options: Any) -> nn.Module:
        if model_name != name or not pretrained:
            return original(model_name, pretrained=pretrained, **options)
        network: nn.Module = original(model_name, pretrained=False, **options)
        missing = network.load_state_dict(state, strict=False).missing_keys
        if missing:
            raise ConfigError(
                f"The weights do not fit anomalib's network: {missing[0]} is missing.",
                "Install another version of anomalib.",
            )
        return network

    timm.create_model = create_model  # type: ignore[assignment]
    try:
        yield name
    finally:
        timm.create_model = original


def _padim(peer: Peer, name: str) -> Any:
    from anomalib.models import Padim

    layers: Any = [SHALLOW, MIDDLE, DEEP]
    return Padim(backbone=name, layers=layers, n_features=100, **_BARE)


def _patchcore(peer: Peer, name: str) -> Any:
    from anomalib.models import Patchcore

    layers: Any = [MIDDLE, DEEP]
    return Patchcore(backbone=name, layers=layers, **_BARE)


def _dfm(peer: Peer, name: str) -> Any:
    from anomalib.models import Dfm

    layer: Any = DEEP
    return Dfm(backbone=name, layer=layer, pooling_kernel_size=2, **_BARE)


def _stfpm(peer: Peer, name: str) -> Any:
    from anomalib.models import Stfpm

    layers: Any = [SHALLOW, MIDDLE, DEEP]
    return Stfpm(backbone=name, layers=layers, **_BARE)


def _cflow(peer: Peer, name: str) -> Any:
    from anomalib.models import Cflow

    layers: Any = [MIDDLE, DEEP]
    return Cflow(backbone=name, layers=layers, fiber_batch_size=1024, **_BARE)


def _supersimplenet(peer: Peer, name: str) -> Any:
    from anomalib.models import Supersimplenet

    layers: Any = [MIDDLE, DEEP]
    return Supersimplenet(backbone=name, layers=layers, **_BARE)


def _draem(peer: Peer, name: str) -> Any:
    """Without the textures, which have to be fetched: anomalib's generator then pastes noise."""
    import tempfile

    from anomalib.models import Draem

    with tempfile.TemporaryDirectory() as empty:
        return Draem(dtd_dir=empty, **_BARE)


def _reverse_distillation(peer: Peer, name: str) -> Any:
    from anomalib.models import ReverseDistillation
    from anomalib.pre_processing import PreProcessor
    from torchvision.transforms.v2 import Resize  # type: ignore[import-untyped]

    same = PreProcessor(transform=Resize((peer.size, peer.size)))
    return ReverseDistillation(pre_processor=same, **_NOTHING)


def _cfa(peer: Peer, name: str) -> Any:
    from anomalib.models import Cfa

    return Cfa(**_BARE)


def _efficient_ad(peer: Peer, name: str) -> Any:
    from anomalib.models import EfficientAd

    return EfficientAd(**_BARE)


def _dinomaly(peer: Peer, name: str) -> Any:
    from anomalib.models import Dinomaly

    return Dinomaly(**_BARE)


def _inp_former(peer: Peer, name: str) -> Any:
    from anomalib.models.image.inp_former import InpFormer

    return InpFormer(**_BARE)


_BUILDERS: dict[str, Callable[[Peer, str], Any]] = {
    "padim": _padim,
    "patchcore": _patchcore,
    "dfm": _dfm,
    "stfpm": _stfpm,
    "cflow": _cflow,
    "supersimplenet": _supersimplenet,
    "draem": _draem,
    "reverse-distillation": _reverse_distillation,
    "cfa": _cfa,
    "efficient-ad": _efficient_ad,
    "dinomaly": _dinomaly,
    "inp-former": _inp_former,
}
