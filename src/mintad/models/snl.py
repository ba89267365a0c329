"""SNL: what a student must keep of its teacher's structure (arXiv 2402.17091).

The paper's formulas are not at hand: its components are, and how each is built is ours. Every
component has its switch; with all of them off STFPM or RD4AD remains.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from mintad.layers.affinity import (
    affinity_difference,
    inter_image_loss,
    inter_network_loss,
    intra_affinity_loss,
)
from mintad.layers.cram import Cram, CramKind
from mintad.layers.distillation import channel_loss, spatial_loss
from mintad.models.rd4ad import Rd4ad, Rd4adConfig
from mintad.models.registry import register_model
from mintad.models.stfpm import Stfpm, StfpmConfig
from mintad.models.teacher_student import TeacherStudent, TeacherStudentConfig

_SNL = "SNL, arXiv 2402.17091"


class SnlConfig(TeacherStudentConfig):
    """The switches of SNL, beside those of the student that it is built on.

    `inter_reading` says whether inter-affinity is between the images of a batch or between the
    networks; `temperature` is that of the channels' distributions; `affinity_map` adds
    `affinity_map_weight` times the affinity-difference map at test time.
    """

    spatial_channel: bool = True
    intra_affinity: bool = True
    inter_affinity: bool = True
    inter_reading: Literal["images", "networks"] = "networks"
    cram: bool = True
    affinity_map: bool = True
    spatial_weight: float = Field(default=1.0, ge=0)
    channel_weight: float = Field(default=1.0, ge=0)
    intra_weight: float = Field(default=1.0, ge=0)
    inter_weight: float = Field(default=1.0, ge=0)
    affinity_map_weight: float = Field(default=1.0, ge=0)
    temperature: float = Field(default=1.0, gt=0)
    cram_kind: CramKind = "mix"
    centres: int = Field(default=48, ge=1)


class Snl(TeacherStudent):
    """The components of SNL, to stand in front of a student's class."""

    config: SnlConfig

    def bottleneck(self, channels: int) -> nn.Module:
        """CRAM on the student's coarsest features, where it is switched on."""
        config = self.config
        return Cram(channels, config.centres, config.cram_kind) if config.cram else nn.Identity()

    def structural_losses(self, teacher: list[Tensor], student: list[Tensor]) -> dict[str, Tensor]:
        """Spatial-channel distillation, intra- and inter-affinity, each summed over the stages."""
        config = self.config
        pairs = list(zip(teacher, student, strict=True))
        parts: dict[str, list[Tensor]] = {}
        if config.spatial_channel:
            parts["spatial"] = [config.spatial_weight * spatial_loss(*pair) for pair in pairs]
            parts["channel"] = [
                config.channel_weight * channel_loss(*pair, config.temperature) for pair in pairs
            ]
        if config.intra_affinity:
            parts["intra"] = [config.intra_weight * intra_affinity_loss(*pair) for pair in pairs]
        if config.inter_affinity:
            loss = inter_image_loss if config.inter_reading == "images" else inter_network_loss
            parts["inter"] = [config.inter_weight * loss(*pair) for pair in pairs]
        return {name: torch.stack(losses).sum() for name, losses in parts.items()}

    def structural_map(self, teacher: list[Tensor], student: list[Tensor]) -> Tensor | None:
        """The affinity-difference maps of all stages, summed and weighted, `(B, h, w)`."""
        if not self.config.affinity_map:
            return None
        maps = [
            self.upsample(affinity_difference(t, s)) for t, s in zip(teacher, student, strict=True)
        ]
        return self.config.affinity_map_weight * torch.stack(maps).sum(dim=0)


class SnlStfpmConfig(SnlConfig, StfpmConfig):
    """SNL's switches on STFPM; maps are added and smoothed, as an affinity map joins them."""

    combine: Literal["sum", "product"] = "sum"
    smoothing: float = Field(default=4.0, ge=0)


@register_model("snl-stfpm", paper=f"{_SNL}, on STFPM, arXiv 2103.04257")
class SnlStfpm(Snl, Stfpm):
    """SNL on the forward student; CRAM works on the last of its chosen stages."""

    config_class = SnlStfpmConfig
    config: SnlStfpmConfig


class SnlRd4adConfig(SnlConfig, Rd4adConfig):
    """SNL's switches on RD4AD."""


@register_model("snl-rd4ad", paper=f"{_SNL}, on RD4AD, arXiv 2201.10703")
class SnlRd4ad(Snl, Rd4ad):
    """SNL on the reverse student; CRAM works on the embedding that the decoder starts from."""

    config_class = SnlRd4adConfig
    config: SnlRd4adConfig
