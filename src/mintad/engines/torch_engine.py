"""The engine that runs a bundle in torch itself: the reference for every other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from mintad.assembly import load_backbone, load_model
from mintad.backbones import backbone_rows, unpack
from mintad.bundle import Bundle, RawPrediction
from mintad.errors import ConfigError
from mintad.features import Features


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
        half = backbone_rows(images, self.backbone, self.preprocessing, batch_size=len(images))
        return self.predict_features(
            unpack(torch.from_numpy(half).float(), self.model.shape), products
        )

    @torch.inference_mode()
    def predict_features(self, features: Features, products: NDArray[np.int64]) -> RawPrediction:
        """The same from what the backbone makes of the images."""
        features = features.to(self.device)
        numbers = torch.from_numpy(products).to(self.device)
        found = self.model.predict(features, numbers)
        more = self.model.description(features, numbers) if self.described else {}
        logits = found.product_logits
        return RawPrediction(
            found.anomaly_map.float().cpu().numpy(),
            found.raw_score.float().cpu().numpy(),
            None if logits is None else logits.float().cpu().numpy(),
            **{name: value.float().cpu().numpy() for name, value in more.items()},
        )
