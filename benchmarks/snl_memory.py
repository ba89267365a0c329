"""The peak memory of SNL's training steps on both students, and what a step takes.

    python benchmarks/snl_memory.py --size 256 --batch 16

Each method runs in a process of its own on random features and images: memory does not depend on
what they show. The peak is that of the whole process, interpreter and libraries included.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from _benchmark import apart, options_of, peak_memory, write_results
from mintad_lab import markdown

METHODS = ("stfpm", "snl-stfpm", "rd4ad", "snl-rd4ad")


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", choices=METHODS, help="only this, in this process")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options)))
        return
    shared = {key: getattr(options, key) for key in ("size", "batch", "steps", "precision")}
    words = [word for key, value in shared.items() for word in (f"--{key}", value)]
    runs = {method: apart(__file__, *words, "--measure", method) for method in options.methods}
    rows = [
        [
            method,
            f"{run['peak_bytes'] / 1e9:.2f} GB",
            f"{run['bytes_before'] / 1e9:.2f} GB",
            f"{run['seconds_per_step']:.2f} s",
        ]
        for method, run in runs.items()
    ]
    headings = ["method", "peak memory", "of it before training", "a step"]
    content = {**shared, "runs": runs}
    write_results("snl_memory", content, markdown.table(headings, rows), options.out)


def measure(method: str, options: argparse.Namespace) -> dict[str, Any]:
    """Peak memory in bytes and seconds of the fastest of some steps."""
    import torch

    from _steps import random_features, training_step
    from mintad.assembly import build_model
    from mintad.training import load_recipe

    changes = {"model": method, "backbone.input_size": [options.size] * 2}
    recipe = load_recipe("stfpm" if method.endswith("stfpm") else "rd4ad", changes)
    torch.manual_seed(recipe.seed)
    model = build_model(recipe, ["product"]).model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    products = torch.zeros(options.batch, dtype=torch.int64)
    before = peak_memory()
    seconds = []
    for _ in range(options.steps):
        features = random_features(model.shape, options.batch)
        start = time.perf_counter()
        training_step(model, optimiser, features, products, getattr(torch, options.precision))
        seconds.append(time.perf_counter() - start)
    return {
        "peak_bytes": peak_memory(),
        "bytes_before": before,
        "seconds_per_step": min(seconds),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


if __name__ == "__main__":
    main()
