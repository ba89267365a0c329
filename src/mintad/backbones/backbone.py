"""The frozen backbone: images in, features out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.backbones.config import BackboneConfig, ResolvedConfig, Sampling, resolve
from mintad.backbones.registry import BackboneSpec
from mintad.backbones.timm_models import (
    build_network,
    checked_state,
    find_spec,
    keep_stages,
    load_state,
    stage_maps,
)
from mintad.backbones.weights import AUTO, RANDOM, find_weights, read_weights
from mintad.errors import ConfigError, WeightsError
from mintad.features import Features, FeatureShape

if TYPE_CHECKING:
    from mintad.data import Preprocessing


class Backbone(nn.Module):
    """A frozen network, in eval mode for ever: `float32 (B, 3, h, w)` to `Features`.

    Every chosen stage is resized to the grid as `config.sampling` says and the stages are
    concatenated in order, or each stays as it is. Made by `create_backbone`; `config` is resolved.
    """

    def __init__(self, config: ResolvedConfig, spec: BackboneSpec, network: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.spec = spec
        self.stage_channels = tuple(spec.stages[stage].channels for stage in config.stages)
        self.channels = sum(self.stage_channels)
        self.network = network
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> Backbone:
        """Stays in eval mode whatever `mode` says."""
        return self

    @property
    def weights_source(self) -> str:
        """Where the weights come from, in words."""
        if self.config.weights == AUTO:
            return self.spec.source
        return RANDOM if self.config.weights == RANDOM else f"file {self.config.weights}"

    def shape(self, height: int, width: int) -> FeatureShape:
        """The shape of the features of an input of `height` x `width` pixels.

        Native stages are found by running the network once. Raises ConfigError where a vision
        transformer cannot cut such an input into patches.
        """
        config = self.config
        grids = tuple(self._grid(*size) for size in ((height, width), *config.also_at))
        if config.native:
            image = next(self.network.parameters()).new_zeros(1, 3, height, width)
            with torch.inference_mode():
                grids = tuple((stage.shape[2], stage.shape[3]) for stage in self._stages(image))
        return FeatureShape(
            kind="stages" if config.native else "tokens",
            stage_channels=self.stage_channels,
            grids=grids,
            image_size=(height, width),
            image=config.image,
        )

    def _grid(self, height: int, width: int) -> tuple[int, int]:
        patch = self.spec.stages[0].stride if self.spec.transformer else 1
        if height % patch or width % patch:
            raise ConfigError(
                f"An input of {height}x{width} pixels cannot be cut into the patches of "
                f"{patch}x{patch} that {self.spec.name} reads.",
                f"Choose a height and a width that are multiples of {patch}.",
            )
        return -(-height // self.config.stride), -(-width // self.config.stride)

    def _stages(self, images: Tensor) -> list[Tensor]:
        return stage_maps(self.network, images, self.config.stages, self.spec)

    def forward(self, images: Tensor) -> Features:
        """The features of `images` `float32 (B, 3, h, w)`, normalised."""
        image = images if self.config.image else None
        if self.config.native:
            self._grid(images.shape[-2], images.shape[-1])
            return Features(stages=self._stages(images), image=image)
        sizes = self.config.also_at
        views = [images, *(F.interpolate(images, size, mode="bilinear") for size in sizes)]
        maps = [self._one_grid(view).flatten(2) for view in views]  # each (B, C, P)
        whole = torch.cat(maps, dim=2) if sizes else maps[0]
        return Features(tokens=whole.transpose(1, 2), image=image)

    def _one_grid(self, images: Tensor) -> Tensor:
        """The stages on one grid, `(B, C, H, W)`."""
        grid = self._grid(images.shape[-2], images.shape[-1])
        maps = [_resized(stage, grid, self.config.sampling) for stage in self._stages(images)]
        return torch.cat(maps, dim=1)

    def preprocessing(self, resize: Literal["stretch", "pad"] = "stretch") -> Preprocessing:
        """How an image is made fit for this backbone."""
        from mintad.data import Preprocessing

        height, width = self.config.input_size
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
        architecture = self.spec.timm_name.split(".")[0] or self.spec.network
        taken = [architecture, config.stages, config.stride, config.sampling]
        taken += [config.also_at] if config.also_at else []
        taken += ["image"] if config.image else []
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
    config = resolve(config, spec)
    file = find_weights(spec, config.weights)
    network = build_network(spec)
    if file is not None:
        state = checked_state(network, read_weights(file), str(file))
    keep_stages(network, config.stages, spec)
    if file is not None:
        load_state(network, state, str(file))
    return Backbone(config, spec, network.to(memory_format=torch.channels_last))


def restore_backbone(config: ResolvedConfig, state: Mapping[str, Tensor]) -> Backbone:
    """The backbone whose `state_dict()` was `state`, built from the same `config`.

    Raises `WeightsError` where the two do not fit.
    """
    spec = find_spec(config.name)
    network = build_network(spec)
    keep_stages(network, config.stages, spec)
    backbone = Backbone(config, spec, network.to(memory_format=torch.channels_last))
    try:
        backbone.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"These weights are not those of {config.name}: {error}.",
            "Use the weights and the version of mintad that belong together.",
        ) from None
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
