"""Recipes, and the training of a model on frozen features."""

RUN_FILE = "run.json"
"""The file of a run directory that says what it was begun with."""

CHECKPOINT = "checkpoint.ckpt"
"""The file that keeps the last finished epoch of a run that goes on."""
