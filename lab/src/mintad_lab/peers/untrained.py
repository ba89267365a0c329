"""anomalib's methods as their authors have them, untrained: the cost needs no trained weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from mintad.errors import ConfigError
from mintad_lab.peers.networks import BARE, METHODS, anomalib

MEMORY_BANK = 10_000
"""Vectors in PatchCore's memory bank."""


class Untrained(NamedTuple):
    """anomalib's module in eval mode, the side of its images, and what it is made of.

    Its `model` maps images `(B, 3, size, size)` to anomaly maps; what is frozen needs no gradient.
    """

    module: Any
    size: int
    note: str


def build_untrained(name: str) -> Untrained:
    """One of `UNTRAINED`, with random weights and a full memory.

    Raises `ConfigError` where anomalib is not installed or cannot build it.
    """
    backbone = {} if name == "efficient-ad" else {"pre_trained": False}
    try:
        module = anomalib(f"models.{METHODS[name][0]}")(**backbone, **BARE)
        size, note = UNTRAINED[name](module.model)
    except ModuleNotFoundError:
        raise ConfigError(
            "anomalib is not installed.", "Install it with: pip install anomalib"
        ) from None
    except (AttributeError, TypeError, ImportError) as error:
        raise ConfigError(
            f"This version of anomalib builds {name} in another way: {error}.",
            "Install anomalib 2.",
        ) from error
    return Untrained(module.eval(), size, note)


def _padim(network: Any) -> tuple[int, str]:
    network.feature_extractor.requires_grad_(False)
    positions, channels = 56 * 56, network.n_features
    network.gaussian.mean = torch.randn(channels, positions)
    network.gaussian.inv_covariance = torch.eye(channels).repeat(positions, 1, 1)
    return 224, f"resnet18, {channels} channels at {positions} positions"


def _patchcore(network: Any) -> tuple[int, str]:
    network.feature_extractor.requires_grad_(False)
    channels = sum(network.feature_extractor.out_dims)
    network.memory_bank = torch.randn(MEMORY_BANK, channels)
    return 224, f"wide_resnet50_2, {MEMORY_BANK:,} vectors of {channels} channels"


def _efficient_ad(network: Any) -> tuple[int, str]:
    network.teacher.requires_grad_(False)
    for part in (network.mean_std, network.quantiles):
        part.requires_grad_(False)
    for value in (network.mean_std["std"], network.quantiles["qb_st"], network.quantiles["qb_ae"]):
        value.data.fill_(1.0)
    return 256, "the small networks, at their own size of 256 pixels"


UNTRAINED: dict[str, Callable[[Any], tuple[int, str]]] = {
    "padim": _padim,
    "patchcore": _patchcore,
    "efficient-ad": _efficient_ad,
}
