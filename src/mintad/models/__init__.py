"""Methods: one file each, a registry, and one small contract."""

from mintad.models.base import (
    AnomalyModel,
    Batches,
    InputShape,
    ModelConfig,
    Prediction,
    Reconstruction,
)
from mintad.models.registry import create_model, list_models, model_class, model_config

__all__ = [
    "AnomalyModel",
    "Batches",
    "InputShape",
    "ModelConfig",
    "Prediction",
    "Reconstruction",
    "create_model",
    "list_models",
    "model_class",
    "model_config",
]
