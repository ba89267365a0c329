"""Recipes, and the training of a model on frozen features."""

RUN_FILE = "run.json"
"""The file of a run directory that says what it was begun with."""
