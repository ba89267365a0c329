"""What a further product costs: a training step and an inspection with 2 to 2,000 products.

    python benchmarks/products_cost.py --products 2 20 200 2000

Random features, the transformer of the study recipe, and the closed form of `fast` with random
directions; the classification head is the only part of the step that grows. Each number of
products is a process of its own; the rounds go through all of them in turn.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch
from torch import nn

from mintad.features import Features, FeatureShape
from mintad.models import create_model
from mintad.training.recipe import load_recipe

STAGES = (24, 48, 120, 352)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--products", nargs="+", type=int, default=[2, 20, 200, 2000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--measure", choices=["step", "inspect"])
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.products[0], options.batch)))
        return
    for kind in ("step", "inspect"):
        found: dict[int, list[dict[str, float]]] = {count: [] for count in options.products}
        for _ in range(options.rounds):
            for count in options.products:
                command = [sys.executable, __file__, "--measure", kind, "--products", str(count)]
                command += ["--batch", str(options.batch)]
                answer = subprocess.run(command, check=True, capture_output=True, text=True)
                found[count].append(json.loads(answer.stdout))
        first = statistics.median(one["seconds"] for one in found[options.products[0]])
        print(
            f"\n| {kind}, batch {options.batch} | seconds | ratio | above the model, MB "
            "| the model, MB |\n|---|---|---|---|---|"
        )
        for count, results in found.items():
            seconds = statistics.median(one["seconds"] for one in results)
            above = statistics.median(one["above_mb"] for one in results)
            model = results[0]["model_mb"]
            print(
                f"| {count} products | {seconds:.3f} | {seconds / first:.2f} | {above:.0f} "
                f"| {model:.1f} |"
            )


def measure(kind: str, products: int, batch: int) -> dict[str, float]:
    """The median seconds, the peak memory above that of the model, and the model's size."""
    torch.manual_seed(0)
    recipe = load_recipe("study" if kind == "step" else "fast")
    shape = FeatureShape(stage_channels=STAGES, grids=((14, 14),), image_size=(224, 224))
    model = create_model(recipe.model, recipe.switches, shape, products)
    if kind == "inspect":
        for value in model.state_dict().values():  # touch the memory as a fitted model would
            value.copy_(torch.randint(-9, 9, value.shape, dtype=torch.int8))
    features = Features(tokens=torch.randn(batch, 196, sum(STAGES)))
    numbers = torch.arange(batch) % products
    model_mb = sum(value.nbytes for value in model.state_dict().values()) / 1e6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    optimizer = torch.optim.AdamW(list(model.parameters()) or [torch.zeros(1, requires_grad=True)])
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        if kind == "step":
            with torch.autocast("cpu", torch.bfloat16):
                loss = model.train().loss(features, numbers)["loss"]
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        else:
            with torch.inference_mode():
                model.eval().predict(features, numbers)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {
        "seconds": statistics.median(seconds[1:]),
        "above_mb": peak - before,
        "model_mb": model_mb,
    }


if __name__ == "__main__":
    main()
