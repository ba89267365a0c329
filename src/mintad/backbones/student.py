"""The backbone's architecture once more, untrained: what a forward student is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mintad.backbones.config import BackboneConfig, resolve
from mintad.backbones.registry import BackboneSpec
from mintad.backbones.timm_models import build_network, find_spec, keep_stages, stage_maps


class StudentNetwork(nn.Module):
    """Images `float32 (B, 3, h, w)` to the list of its stages; it learns. See `create_student`."""

    def __init__(self, network: nn.Module, stages: tuple[int, ...], spec: BackboneSpec) -> None:
        super().__init__()
        self.network = network
        self.stages = stages
        self.spec = spec

    def forward(self, images: Tensor) -> list[Tensor]:
        """The stages `(B, C_s, H_s, W_s)` at their own resolution."""
        return stage_maps(self.network, images, self.stages, self.spec)


def create_student(config: BackboneConfig, seed: int = 0) -> StudentNetwork:
    """A network like the backbone's up to its last chosen stage, its random weights by `seed`.

    They are never those of a backbone with random weights.
    Raises ConfigError for an unknown name.
    """
    spec = find_spec(config.name)
    stages = resolve(config, spec).stages
    network = build_network(spec, seed + 1)  # 0 is the backbone's own
    keep_stages(network, stages, spec)
    network.to(memory_format=torch.channels_last)
    return StudentNetwork(network, stages, spec)
