"""The networks of anomalib's PaDiM, PatchCore and EfficientAD, to measure what they cost.

Their weights are random: the cost does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from mintad.errors import ConfigError

MEMORY_BANK = 10_000
"""Vectors in PatchCore's memory bank."""

Peer = tuple[nn.Module, int, str]
"""A network in eval mode, the side of its images, and what it is made of."""


def create_peer(name: str) -> Peer:
    """One of `PEERS`. Raises `ConfigError` where anomalib is not installed or cannot build it."""
    try:
        network, size, note = PEERS[name]()
    except ModuleNotFoundError:
        raise ConfigError(
            "anomalib is not installed.", "Install it with: pip install anomalib"
        ) from None
    except (AttributeError, TypeError, ImportError) as error:
        raise ConfigError(
            f"This version of anomalib builds {name} in another way: {error}.",
            "Install anomalib 2.",
        ) from error
    return network.eval(), size, note


def _padim() -> Peer:
    from anomalib.models.image.padim.torch_model import PadimModel

    network: Any = PadimModel(backbone="resnet18", pre_trained=False)
    network.feature_extractor.requires_grad_(False)
    positions, channels = 56 * 56, network.n_features
    network.gaussian.mean = torch.randn(channels, positions)
    network.gaussian.inv_covariance = torch.eye(channels).repeat(positions, 1, 1)
    return network, 224, f"resnet18, {channels} channels at {positions} positions"


def _patchcore() -> Peer:
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    network: Any = PatchcoreModel(layers=["layer2", "layer3"], pre_trained=False)
    network.feature_extractor.requires_grad_(False)
    channels = sum(network.feature_extractor.out_dims)
    network.memory_bank = torch.randn(MEMORY_BANK, channels)
    return network, 224, f"wide_resnet50_2, {MEMORY_BANK:,} vectors of {channels} channels"


def _efficient_ad() -> Peer:
    from anomalib.models.image.efficient_ad.torch_model import EfficientAdModel

    network: Any = EfficientAdModel()
    network.teacher.requires_grad_(False)
    for part in (network.mean_std, network.quantiles):
        part.requires_grad_(False)
    for value in (network.mean_std["std"], network.quantiles["qb_st"], network.quantiles["qb_ae"]):
        value.data.fill_(1.0)
    return network, 256, "the small networks, at their own size of 256 pixels"


PEERS: dict[str, Callable[[], Peer]] = {
    "anomalib padim": _padim,
    "anomalib patchcore": _patchcore,
    "anomalib efficient-ad": _efficient_ad,
}
