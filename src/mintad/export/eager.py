"""The engine that runs a bundle in torch itself: the reference for every other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mintad.bundle import Bundle, RawPrediction
from mintad.errors import BundleError, ConfigError
from mintad.features import Backbone, BackboneConfig
from mintad.features.extraction import backbone_tokens
from mintad.features.restore import restore_backbone
from mintad.features.student import create_student
from mintad.models import AnomalyModel, InputShape, create_model

MODEL_FILE = "model.safetensors"
BACKBONE_FILE = "backbone.safetensors"


class TorchEngine:
    """A bundle's backbone and model, in eval mode, in float32, on CUDA where there is one."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str = "float32",
        live: bool = False,
        described: bool = False,
    ) -> None:
        if precision != "float32":
            raise ConfigError(
                f"The engine torch runs in float32, not in {precision}.", "Use the engine torch."
            )
        self.described = described
        self.preprocessing = bundle.manifest.preprocessing
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.backbone = load_backbone(bundle).to(self.device)
        self.model = load_model(bundle).to(self.device)

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, `products` `int64 (B,)`, -1 where to recognise."""
        half = backbone_tokens(images, self.backbone, self.preprocessing, batch_size=len(images))
        return self.predict_tokens(half, products)

    @torch.inference_mode()
    def predict_tokens(
        self, half: NDArray[np.float16], products: NDArray[np.int64]
    ) -> RawPrediction:
        """The same from what the backbone makes of the images, `float16 (B, P, C)`."""
        tokens = torch.from_numpy(half).to(self.device).float()  # (B, P, C)
        numbers = torch.from_numpy(products).to(self.device)
        found = self.model.predict(tokens, numbers)
        more = self.model.description(tokens, numbers) if self.described else {}
        logits = found.product_logits
        return RawPrediction(
            found.anomaly_map.float().cpu().numpy(),
            found.image_score.float().cpu().numpy(),
            None if logits is None else logits.float().cpu().numpy(),
            **{name: value.float().cpu().numpy() for name, value in more.items()},
        )


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
