"""Training steps on random features, without a trainer around them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mintad.features import Features, FeatureShape
from mintad.models import AnomalyModel

SHAPE = FeatureShape(stage_channels=(24, 48, 120, 352), grids=((14, 14),), image_size=(224, 224))
"""What EfficientNet-Lite2 makes of 224 x 224 pixels at its stages 1 to 4."""


def random_features(shape: FeatureShape, images: int) -> Features:
    """Features of `images` images that show nothing."""
    if shape.kind == "tokens":
        return Features(tokens=torch.randn(images, shape.positions, shape.channels))
    stages = zip(shape.stage_channels, shape.grids, strict=True)
    return Features(
        stages=[torch.randn(images, channels, *grid) for channels, grid in stages],
        image=torch.randn(images, 3, *shape.image_size) if shape.image else None,
    )


def training_step(
    model: AnomalyModel,
    optimiser: torch.optim.Optimizer,
    features: Features,
    products: Tensor,
    precision: torch.dtype,
    seeds: Tensor | None = None,
) -> None:
    """Loss, gradients, clipping, update; products in `precision`."""
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        loss = model.loss(features, products, seeds)["loss"]
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
