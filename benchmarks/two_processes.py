"""Two processes with Lightning's DDP (gloo) against one with the doubled batch: the same losses?

    python benchmarks/two_processes.py --steps 6

Trains MINT-AD of the paper's size on random features, float32, twice, and compares the losses.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
import torch

from mintad.features import FeatureShape
from mintad.models import create_model
from mintad.training.features import TrainingFeatures
from mintad.training.fit import LOG_FILE, LOGS, fit
from mintad.training.recipe import load_recipe

STAGES = (24, 48, 120, 352)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=8, help="of the one process")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(options.batch, 196, sum(STAGES))).astype(np.float16)
    shape = FeatureShape(stage_channels=STAGES, grids=((14, 14),), image_size=(224, 224))
    products = np.arange(options.batch) % 5
    features = TrainingFeatures(lambda images: tokens[images], shape, products)
    found = {}
    for processes in (1, 2):
        recipe = load_recipe(
            "study",
            {
                "training.epochs": options.steps,  # one step each: a loss per step is logged
                "training.batch_size": options.batch // processes,
                "training.processes": processes,
                "training.precision": "float32",
                "switches.dropout": 0.0,
            },
        )
        torch.manual_seed(recipe.seed)
        model = create_model(recipe.model, recipe.switches, shape, 5)
        with tempfile.TemporaryDirectory() as run:
            fit(model, features, recipe, Path(run))
            with (Path(run) / LOGS / LOG_FILE).open(encoding="utf-8") as file:
                found[processes] = [float(line["loss"]) for line in csv.DictReader(file)]
    print("| step | one process | two processes | relative difference |\n|---|---|---|---|")
    for step, (one, two) in enumerate(zip(found[1], found[2], strict=True), 1):
        print(f"| {step} | {one:.7f} | {two:.7f} | {abs(two / one - 1):.1e} |")


if __name__ == "__main__":
    main()
