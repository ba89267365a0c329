"""Which backbone, and what is taken from it: the part of a recipe, and of a manifest, about it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mintad.backbones.registry import BackboneSpec
from mintad.errors import ConfigError

_Positive = Annotated[int, Field(gt=0)]
Sampling = Literal["bilinear", "area", "native"]


class BackboneConfig(BaseModel):
    """Which backbone, and what is taken from it.

    `stages` are 0-based and ascending (blocks, for a vision transformer); None takes the
    registry's. `weights` is "auto", "random" or a path. `input_size` is (height, width) in
    pixels; None takes the registry's. `stride` sets the grid: 16 gives 14x14 at 224; None takes
    the registry's, which is 16 for a convolutional network and the patch size for a vision
    transformer. `sampling` is how a finer stage comes to the grid: "bilinear" samples points,
    corners aligned, as UniAD does; "area" averages the cells that a position covers, and nothing
    between two points is missed. "native" leaves every stage as it is. With `image` the prepared
    image comes with the features. `also_at` names further sizes (height, width) at which the
    network sees the prepared image, too: their tokens follow those of the image as it is, each
    size on its own grid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "efficientnet_lite2"
    stages: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    weights: str = "auto"
    input_size: tuple[_Positive, _Positive] | None = None
    stride: _Positive | None = None
    sampling: Sampling = "bilinear"
    image: bool = False
    also_at: tuple[tuple[_Positive, _Positive], ...] = ()

    @property
    def native(self) -> bool:
        """Whether the stages keep their own resolution."""
        return self.sampling == "native"


class ResolvedConfig(BackboneConfig):
    """A config that leaves nothing to the registry: what a backbone is built from."""

    stages: tuple[Annotated[int, Field(ge=0)], ...]
    input_size: tuple[_Positive, _Positive]
    stride: _Positive


def resolve(config: BackboneConfig, spec: BackboneSpec) -> ResolvedConfig:
    """The config with the registry's values where it has none of its own.

    Raises `ConfigError` for stages that the backbone does not have, or sizes that cannot be
    joined.
    """
    if config.also_at and config.native:
        raise ConfigError(
            "A backbone with native stages sees the image at one size.",
            "Leave backbone.also_at out.",
        )
    stages = spec.default_stages if config.stages is None else config.stages
    ascending = list(stages) == sorted(set(stages))
    if not stages or not ascending or stages[-1] >= len(spec.stages):
        raise ConfigError(
            f"The backbone {spec.name} has no stages {list(stages)}.",
            f"Give ascending numbers between 0 and {len(spec.stages) - 1}.",
        )
    defaults = {"input_size": spec.input_size, "stride": spec.stride}
    given = config.model_dump(exclude_none=True)
    return ResolvedConfig.model_validate(defaults | given | {"stages": stages})
