"""Methods: one file each, a registry, and one small contract."""

from mintad.models.base import (
    AnomalyModel,
    Batches,
    ModelConfig,
    Prediction,
    Reconstruction,
    Requirements,
    TextConfig,
)
from mintad.models.registry import create_model, list_models, model_class, model_config

__all__ = [
    "AnomalyModel",
    "Batches",
    "ModelConfig",
    "Prediction",
    "Reconstruction",
    "Requirements",
    "TextConfig",
    "create_model",
    "list_models",
    "model_class",
    "model_config",
]
