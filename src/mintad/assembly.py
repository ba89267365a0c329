"""Backbone and model put together: from what a bundle holds to a network that runs in torch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mintad.backbones import Backbone, BackboneConfig
from mintad.backbones.restore import restore_backbone
from mintad.backbones.student import create_student
from mintad.bundle import Bundle
from mintad.data import Preprocessing
from mintad.errors import BundleError
from mintad.models import AnomalyModel, InputShape, create_model

MODEL_FILE = "model.safetensors"
BACKBONE_FILE = "backbone.safetensors"


class Network(nn.Module):
    """Normalisation, backbone and model: what an engine has to run.

    Features are not rounded to half precision here, as those of the cache and of the engine
    torch are.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, backbone: Backbone, model: AnomalyModel, preprocessing: Preprocessing
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.model = model
        self.image_size = (preprocessing.height, preprocessing.width)
        self.register_buffer("mean", torch.tensor(preprocessing.mean))
        self.register_buffer("std", torch.tensor(preprocessing.std))

    def forward(self, images: Tensor, products: Tensor) -> dict[str, Tensor]:
        """Images `uint8 (B, h, w, 3)` and products `int64 (B,)`, -1 = recognise; named outputs."""
        normalised = (images.float() - self.mean) / self.std  # (B, h, w, 3)
        features = self.backbone(normalised.permute(0, 3, 1, 2))  # (B, C, H, W)
        tokens = features.flatten(2).transpose(1, 2)  # (B, P, C)
        found = self.model.predict(tokens, products)
        outputs = {"anomaly_map": found.anomaly_map, "raw_score": found.raw_score}
        if found.product_logits is not None:
            outputs["product_logits"] = found.product_logits
        return outputs | self.model.description(tokens, products)


def load_network(bundle: Bundle) -> Network:
    """The bundle's network, in eval mode, on the processor."""
    preprocessing = bundle.manifest.preprocessing
    return Network(load_backbone(bundle), load_model(bundle), preprocessing).eval()


def load_model(bundle: Bundle) -> AnomalyModel:
    """The bundle's model, in eval mode. Raises `BundleError` where its weights do not fit."""
    entry, preprocessing = bundle.manifest.model, bundle.manifest.preprocessing
    shape = InputShape(
        stage_channels=entry.stage_channels,
        grid=entry.grid,
        image_size=(preprocessing.height, preprocessing.width),
        products=len(bundle.manifest.products),
        text_channels=entry.text_channels,
        stage_grids=entry.stage_grids,
        with_image=entry.with_image,
        grids=entry.grids,
    )
    model = create_model(entry.name, entry.switches, shape)
    if model.needs_images:
        model.set_student(create_student(backbone_config(bundle)))
    _load_state(model, bundle, MODEL_FILE)
    return model.eval()


def load_backbone(bundle: Bundle) -> Backbone:
    """The bundle's frozen backbone. Raises `WeightsError` where its weights do not fit."""
    return restore_backbone(backbone_config(bundle), _state(bundle, BACKBONE_FILE))


def backbone_config(bundle: Bundle) -> BackboneConfig:
    """What the bundle's manifest says of its backbone."""
    entry, preprocessing = bundle.manifest.backbone, bundle.manifest.preprocessing
    return BackboneConfig(
        name=entry.name,
        stages=entry.stages,
        stride=entry.stride,
        sampling=entry.sampling,
        also_at=entry.also_at,
        input_size=(preprocessing.height, preprocessing.width),
    )


def _load_state(module: torch.nn.Module, bundle: Bundle, file: str) -> None:
    try:
        module.load_state_dict(_state(bundle, file))
    except RuntimeError as error:
        raise BundleError(
            f"{bundle.path / file} does not fit the manifest: {error}.",
            "Use the version of mintad that wrote the bundle.",
        ) from None


def _state(bundle: Bundle, file: str) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in bundle.tensors(file).items()}


def state_arrays(module: torch.nn.Module) -> dict[str, NDArray[np.generic]]:
    """A module's state as numpy arrays, for `write_bundle`."""
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}
