"""Recipes, and the training of a model on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mintad.lazy import lazy_names

if TYPE_CHECKING:
    from mintad.training.recipe import (
        Recipe,
        TrainingConfig,
        list_recipes,
        load_recipe,
    )
    from mintad.training.run import (
        count_products,
        train_run,
    )

__all__ = [
    "CHECKPOINT",
    "RUN_FILE",
    "Recipe",
    "TrainingConfig",
    "count_products",
    "list_recipes",
    "load_recipe",
    "train_run",
]

RUN_FILE = "run.json"
"""The file of a run directory that says what it was begun with."""

CHECKPOINT = "checkpoint.ckpt"
"""The file that keeps the last finished epoch of a run that goes on."""

__getattr__ = lazy_names(
    __name__,
    {
        "Recipe": "recipe",
        "TrainingConfig": "recipe",
        "count_products": "run",
        "list_recipes": "recipe",
        "load_recipe": "recipe",
        "train_run": "run",
    },
)
