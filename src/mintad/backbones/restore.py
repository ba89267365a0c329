"""A backbone from the weights that a bundle carries."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mintad.backbones.backbone import Backbone, BackboneConfig
from mintad.backbones.timm_models import build_network, find_spec, keep_stages
from mintad.errors import WeightsError


def restore_backbone(config: BackboneConfig, state: Mapping[str, Tensor]) -> Backbone:
    """The backbone whose `state_dict()` was `state`; `config` must name its stages.

    Raises `WeightsError` where the two do not fit.
    """
    spec = find_spec(config.name)
    stages = config.stages or spec.default_stages
    network = build_network(spec)
    keep_stages(network, stages, transformer=spec.transformer)
    network.to(memory_format=torch.channels_last)
    backbone = Backbone(config, spec, network)
    try:
        backbone.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"These weights are not those of {config.name}: {error}.",
            "Use the weights and the version of mintad that belong together.",
        ) from None
    return backbone
