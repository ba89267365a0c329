"""The frozen backbone: images in, one feature map on one grid out (MINT-AD and UniAD)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.backbones.registry import BackboneSpec
from mintad.backbones.timm_models import (
    build_network,
    checked_state,
    find_spec,
    keep_stages,
    load_state,
    stage_maps,
)
from mintad.backbones.weights import find_weights, read_weights
from mintad.errors import ConfigError

if TYPE_CHECKING:
    from mintad.data import Preprocessing

_Positive = Annotated[int, Field(gt=0)]
Sampling = Literal["bilinear", "area", "native", "native-image"]


class BackboneConfig(BaseModel):
    """Which backbone, and what is taken from it.

    `stages` are 0-based and ascending (blocks, for a vision transformer); None takes the
    registry's. `weights` is "auto", "random" or a path. `input_size` is (height, width) in
    pixels. `stride` sets the grid: 16 gives 14x14 at 224; None takes the registry's, which is
    16 for a convolutional network and the patch size for a vision transformer. `sampling` is how
    a finer stage comes to the grid: "bilinear" samples points, corners aligned, as UniAD does;
    "area" averages the cells that a position covers, and nothing between two points is missed.
    "native" leaves every stage as it is: an image is then one token of all their values, stage by
    stage, and "native-image" puts the prepared image itself in front of them. `also_at` names
    further sizes (height, width) at which the network sees the prepared image, too: their tokens
    follow those of the image as it is, each size on its own grid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "efficientnet_lite2"
    stages: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    weights: str = "auto"
    input_size: tuple[_Positive, _Positive] | None = None
    stride: _Positive | None = None
    sampling: Sampling = "bilinear"
    also_at: tuple[tuple[_Positive, _Positive], ...] = ()


class Backbone(nn.Module):
    """A frozen network, in eval mode for ever: `float32 (B, 3, h, w)` to `(B, C, H, W)`.

    Every chosen stage is resized to the grid as `config.sampling` says, and the stages are
    concatenated in order. With several sizes, or native stages, the grid is a single column.
    Made by `create_backbone`.
    """

    def __init__(self, config: BackboneConfig, spec: BackboneSpec, network: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.spec = spec
        self.stages = spec.default_stages if config.stages is None else config.stages
        self.stride = config.stride or spec.stride
        self.stage_channels = tuple(spec.stages[stage].channels for stage in self.stages)
        self.channels = sum(self.stage_channels)
        self.licence = spec.licence
        self.weights_source = ""
        self.network = network
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> Backbone:
        """Stays in eval mode whatever `mode` says."""
        return self

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns (H, W) of the features of an input of `height` x `width` pixels.

        Raises ConfigError where a vision transformer cannot cut such an input into patches.
        """
        grids = self.grids(height, width)
        return grids[0] if len(grids) == 1 else (sum(rows * columns for rows, columns in grids), 1)

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Rows and columns of the input itself and of each of `also_at`."""
        return tuple(self._grid(*size) for size in ((height, width), *self.config.also_at))

    def _grid(self, height: int, width: int) -> tuple[int, int]:
        patch = self.spec.stages[0].stride if self.spec.transformer else 1
        if height % patch or width % patch:
            raise ConfigError(
                f"An input of {height}x{width} pixels cannot be cut into the patches of "
                f"{patch}x{patch} that {self.spec.name} reads.",
                f"Choose a height and a width that are multiples of {patch}.",
            )
        if self.native:
            return 1, 1
        return -(-height // self.stride), -(-width // self.stride)

    @property
    def native(self) -> bool:
        """Whether the stages keep their own resolution."""
        return self.config.sampling in ("native", "native-image")

    def stage_grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each stage of an input of `height` x `width` pixels.

        Found by running the network once; () where all stages come to one grid.
        """
        if not self.native:
            return ()
        image = next(self.network.parameters()).new_zeros(1, 3, height, width)
        with torch.inference_mode():
            return tuple((stage.shape[2], stage.shape[3]) for stage in self._stages(image))

    def token_channels(self, height: int, width: int) -> int:
        """C, the values of a token of such an input."""
        if not self.native:
            return self.channels
        grids = zip(self.stage_channels, self.stage_grids(height, width), strict=True)
        image = 3 * height * width if self.config.sampling == "native-image" else 0
        return image + sum(channels * rows * columns for channels, (rows, columns) in grids)

    def _stages(self, images: Tensor) -> list[Tensor]:
        transformer = self.spec.transformer
        return stage_maps(self.network, images, self.stages, transformer=transformer)

    def forward(self, images: Tensor) -> Tensor:
        """`images`: `float32 (B, 3, h, w)`, normalised; returns `(B, C, H, W)`."""
        if self.config.also_at:
            sizes = self.config.also_at
            views = [images, *(F.interpolate(images, size, mode="bilinear") for size in sizes)]
            return torch.cat([self._view(view).flatten(2) for view in views], dim=2)[..., None]
        return self._view(images)

    def _view(self, images: Tensor) -> Tensor:
        grid = self._grid(images.shape[-2], images.shape[-1])
        maps = self._stages(images)
        if self.native:
            parts = [images, *maps] if self.config.sampling == "native-image" else maps
            return torch.cat([part.flatten(1) for part in parts], dim=1)[..., None, None]
        return torch.cat(
            [_resized(stage, grid, self.config.sampling) for stage in maps], dim=1
        )  # (B, C, H, W)

    def preprocessing(self, resize: Literal["stretch", "pad"] = "stretch") -> Preprocessing:
        """How an image is made fit for this backbone."""
        from mintad.data import Preprocessing

        height, width = self.config.input_size or self.spec.input_size
        return Preprocessing(
            height=height,
            width=width,
            resize=resize,
            interpolation=self.spec.interpolation,
            mean=self.spec.mean,
            std=self.spec.std,
        )

    def digest(self) -> str:
        """SHA-256 of the weights and of what is taken from them: equal digest, equal features."""
        config = self.config
        taken = [self.spec.timm_name.split(".")[0], self.stages, self.stride, config.sampling]
        taken += [config.also_at] if config.also_at else []
        result = hashlib.sha256(json.dumps(taken).encode())
        for key, value in sorted(self.network.state_dict().items()):
            array = value.detach().cpu().contiguous()
            result.update(f"{key} {array.dtype} {tuple(array.shape)}".encode())
            result.update(array.reshape(-1).view(torch.uint8).numpy())
        return result.hexdigest()


def create_backbone(config: BackboneConfig) -> Backbone:
    """Build a frozen backbone with its weights.

    Raises ConfigError for an unknown name or stage, WeightsError where the weights are missing
    or do not fit.
    """
    spec = find_spec(config.name)
    config = config.model_copy(update={"stages": _checked_stages(config, spec)})
    if config.also_at and config.sampling.startswith("native"):
        raise ConfigError(
            "A backbone with native stages sees the image at one size.",
            "Leave backbone.also_at out.",
        )
    assert config.stages is not None
    file = find_weights(spec, config.weights)
    network = build_network(spec)
    if file is not None:
        state = checked_state(network, read_weights(file), str(file))
    keep_stages(network, config.stages, transformer=spec.transformer)
    if file is not None:
        load_state(network, state, str(file))
    network.to(memory_format=torch.channels_last)
    backbone = Backbone(config, spec, network)
    backbone.weights_source = _source(config, spec)
    return backbone


def _resized(stage: Tensor, grid: tuple[int, int], sampling: Sampling) -> Tensor:
    size = tuple(stage.shape[-2:])
    if size == grid:
        return stage
    if sampling == "bilinear":
        return F.interpolate(stage, size=grid, mode="bilinear", align_corners=True)
    if size[0] >= grid[0] and size[1] >= grid[1]:
        return F.adaptive_avg_pool2d(stage, grid)
    return F.interpolate(stage, size=grid, mode="bilinear", align_corners=False)


def _checked_stages(config: BackboneConfig, spec: BackboneSpec) -> tuple[int, ...]:
    stages = spec.default_stages if config.stages is None else config.stages
    ascending = list(stages) == sorted(set(stages))
    if not stages or not ascending or stages[-1] >= len(spec.stages):
        raise ConfigError(
            f"The backbone {spec.name} has no stages {list(stages)}.",
            f"Give ascending numbers between 0 and {len(spec.stages) - 1}.",
        )
    return stages


def _source(config: BackboneConfig, spec: BackboneSpec) -> str:
    if config.weights == "auto":
        return spec.source
    return "random" if config.weights == "random" else f"file {config.weights}"
