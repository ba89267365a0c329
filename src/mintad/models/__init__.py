"""Methods: one file each, a registry, and one small contract; imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mintad.lazy import lazy_names

if TYPE_CHECKING:
    from mintad.models.base import (
        AnomalyModel,
        Batches,
        ModelConfig,
        Prediction,
        Reconstruction,
        Requirements,
        TextConfig,
        single_grid,
    )
    from mintad.models.catalogue import describe_models
    from mintad.models.registry import (
        create_model,
        list_models,
        model_class,
        model_config,
        register_model,
    )
    from mintad.models.scores import ImageScore, image_score

__all__ = [
    "AnomalyModel",
    "Batches",
    "ImageScore",
    "ModelConfig",
    "Prediction",
    "Reconstruction",
    "Requirements",
    "TextConfig",
    "create_model",
    "describe_models",
    "image_score",
    "list_models",
    "model_class",
    "model_config",
    "register_model",
    "single_grid",
]

__getattr__ = lazy_names(
    __name__,
    {
        "AnomalyModel": "base",
        "Batches": "base",
        "ImageScore": "scores",
        "ModelConfig": "base",
        "Prediction": "base",
        "Reconstruction": "base",
        "Requirements": "base",
        "TextConfig": "base",
        "create_model": "registry",
        "describe_models": "catalogue",
        "image_score": "scores",
        "list_models": "registry",
        "model_class": "registry",
        "model_config": "registry",
        "register_model": "registry",
        "single_grid": "base",
    },
)
