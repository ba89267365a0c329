"""anomalib's methods built for a peer, with mintad's backbone where the method takes one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import timm
from torch import nn

from mintad.backbones import BackboneConfig, create_backbone
from mintad.errors import ConfigError
from mintad_lab.peers.catalogue import BACKBONE, Peer

_NOTHING = {"post_processor": False, "evaluator": False, "visualizer": False}
BARE: dict[str, Any] = {"pre_processor": False, **_NOTHING}

SHALLOW, MIDDLE, DEEP = 1, 2, 3
"""Stages of the backbone: strides of 4, 8 and 16 pixels."""

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "padim": ("Padim", {"layers": [SHALLOW, MIDDLE, DEEP], "n_features": 100}),
    "patchcore": ("Patchcore", {"layers": [MIDDLE, DEEP]}),
    "dfm": ("Dfm", {"layer": DEEP, "pooling_kernel_size": 2}),
    "stfpm": ("Stfpm", {"layers": [SHALLOW, MIDDLE, DEEP]}),
    "cflow": ("Cflow", {"layers": [MIDDLE, DEEP], "fiber_batch_size": 1024}),
    "supersimplenet": ("Supersimplenet", {"layers": [MIDDLE, DEEP]}),
    "draem": ("Draem", {}),
    "reverse-distillation": ("ReverseDistillation", {}),
    "cfa": ("Cfa", {}),
    "efficient-ad": ("EfficientAd", {}),
    "dinomaly": ("Dinomaly", {}),
    "inp-former": ("image.inp_former.InpFormer", {}),
}
"""anomalib's class below `anomalib.models`, and its arguments."""


def build(peer: Peer) -> Any:
    """anomalib's Lightning module, whose `model` takes images `(B, 3, size, size)`.

    anomalib resizes, normalises, thresholds and draws nothing: mintad does the first two, and
    the maps and scores stay raw. Raises whatever anomalib raises, and `ConfigError` where the
    weights do not fit its network.
    """
    path, arguments = METHODS[peer.name]
    method = anomalib(f"models.{path}")
    if peer.backbone == "ours":
        with _our_weights() as name:
            return method(backbone=name, **arguments, **BARE)
    if peer.name == "draem":  # without textures, which have to be fetched, it pastes noise
        with tempfile.TemporaryDirectory() as empty:
            return method(dtd_dir=empty, **BARE)
    if peer.name == "reverse-distillation":  # its decoder reads its size from the preprocessing
        resize = import_module("torchvision.transforms.v2").Resize((peer.size, peer.size))
        return method(pre_processor=anomalib("pre_processing.PreProcessor")(resize), **_NOTHING)
    return method(**BARE)


def anomalib(path: str) -> Any:
    """What stands at a dotted path in anomalib, whose types are another's affair."""
    module, _, name = f"anomalib.{path}".rpartition(".")
    return getattr(import_module(module), name)


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
