"""Recipes, and the training of a model on frozen features."""
