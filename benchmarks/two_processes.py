"""Two processes with Lightning's DDP (gloo) against one with the doubled batch: the same losses?

    python benchmarks/two_processes.py --steps 6

Trains MINT-AD of the paper's size on random features, float32, twice, and compares the losses.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import torch

from _benchmark import options_of, write_results
from _steps import SHAPE
from mintad.models import create_model
from mintad.training import LOG_FILE, TrainingFeatures, fit, load_recipe
from mintad_lab import markdown

PRODUCTS = 5


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=8, help="of the one process")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    single, double = (losses(processes, options.steps, options.batch) for processes in (1, 2))
    rows = [
        [f"{step}", f"{first:.7f}", f"{second:.7f}", f"{abs(second / first - 1):.1e}"]
        for step, (first, second) in enumerate(zip(single, double, strict=True), 1)
    ]
    headings = ["step", "one process", "two processes", "relative difference"]
    content = {"batch": options.batch, "one": single, "two": double}
    write_results("two_processes", content, markdown.table(headings, rows), options.out)


def losses(processes: int, steps: int, batch: int) -> list[float]:
    """The loss of each step; an epoch is one, because the log has a line for each epoch."""
    changes = {
        "training.epochs": steps,
        "training.batch_size": batch // processes,
        "training.processes": processes,
        "training.precision": "float32",
        "switches.dropout": 0.0,
    }
    recipe = load_recipe("study", changes)
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(batch, SHAPE.positions, SHAPE.channels)).astype(np.float16)
    features = TrainingFeatures(lambda rows: tokens[rows], SHAPE, np.arange(batch) % PRODUCTS)
    torch.manual_seed(recipe.seed)
    model = create_model(recipe.model, recipe.switches, SHAPE, PRODUCTS)
    with tempfile.TemporaryDirectory() as run:
        fit(model, features, recipe, Path(run))
        with (Path(run) / LOG_FILE).open(encoding="utf-8") as file:
            return [float(line["loss"]) for line in csv.DictReader(file)]


if __name__ == "__main__":
    main()
