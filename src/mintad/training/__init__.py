"""Recipes, and the training of a model on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mintad.lazy import lazy_names

if TYPE_CHECKING:
    from mintad.training.features import TrainingFeatures
    from mintad.training.fitting import fit, precision
    from mintad.training.recipe import Recipe, TrainingConfig, list_recipes, load_recipe
    from mintad.training.run import count_products, train_run

__all__ = [
    "CHECKPOINT",
    "LOG_FILE",
    "RUN_FILE",
    "Recipe",
    "TrainingConfig",
    "TrainingFeatures",
    "count_products",
    "fit",
    "list_recipes",
    "load_recipe",
    "precision",
    "train_run",
]

RUN_FILE = "run.json"
"""The file of a run directory that says what it was begun with."""

CHECKPOINT = "checkpoint.ckpt"
"""The file that keeps the last finished epoch of a run that goes on."""

LOG_FILE = "logs/metrics.csv"
"""The file of a run directory with the losses of every epoch."""

__getattr__ = lazy_names(
    __name__,
    {
        "Recipe": "recipe",
        "TrainingConfig": "recipe",
        "TrainingFeatures": "features",
        "count_products": "run",
        "fit": "fitting",
        "list_recipes": "recipe",
        "load_recipe": "recipe",
        "precision": "fitting",
        "train_run": "run",
    },
)
