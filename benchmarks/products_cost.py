"""What a further product costs: a training step and an inspection with 2 to 2,000 products.

    python benchmarks/products_cost.py --products 2 20 200 2000

Random features, the transformer of the study recipe, and the closed form of `fast` with random
directions; the classification head is the only part of the step that grows. Each number of
products is a process of its own; the rounds go through all of them in turn.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median

import torch

from _benchmark import apart, options_of, peak_memory, write_results
from _steps import SHAPE, random_features, training_step
from mintad.models import create_model
from mintad.training import load_recipe
from mintad_lab import markdown

KINDS = ("step", "inspect")


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--products", nargs="+", type=int, default=[2, 20, 200, 2000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", choices=KINDS, help="only this, in this process")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.products[0], options.batch)))
        return
    tables, results = [], {}
    for kind in KINDS:
        words = ["--measure", kind, "--batch", options.batch, "--products"]
        rounds = [
            [apart(__file__, *words, count) for count in options.products]
            for _ in range(options.rounds)
        ]
        medians = [
            {key: median(run[key] for run in runs) for key in runs[0]}
            for runs in zip(*rounds, strict=True)
        ]
        rows = [
            [
                f"{count} products",
                f"{run['seconds']:.3f}",
                f"{run['seconds'] / medians[0]['seconds']:.2f}",
                f"{run['above_bytes'] / 1e6:.0f}",
                f"{run['model_bytes'] / 1e6:.1f}",
            ]
            for count, run in zip(options.products, medians, strict=True)
        ]
        title = f"{kind}, batch {options.batch}"
        headings = [title, "seconds", "ratio", "above the model, MB", "the model, MB"]
        tables.append(markdown.table(headings, rows))
        results[kind] = dict(zip(options.products, medians, strict=True))
    write_results("products_cost", results, "\n".join(tables), options.out)


def measure(kind: str, products: int, batch: int) -> dict[str, float]:
    """The median seconds, the peak memory above that of the model, and the model's size."""
    torch.manual_seed(0)
    recipe = load_recipe("study" if kind == "step" else "fast")
    model = create_model(recipe.model, recipe.switches, SHAPE, products).train(kind == "step")
    if kind == "inspect":
        for value in model.state_dict().values():  # touch the memory as a fitted model would
            value.copy_(torch.randint(-9, 9, value.shape, dtype=torch.int8))
    features = random_features(SHAPE, batch)
    numbers = torch.arange(batch) % products
    model_bytes = sum(value.nbytes for value in model.state_dict().values())
    before = peak_memory()
    optimiser = torch.optim.AdamW(list(model.parameters()) or [torch.zeros(1, requires_grad=True)])
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        if kind == "step":
            training_step(model, optimiser, features, numbers, torch.bfloat16)
        else:
            with torch.inference_mode():
                model.predict(features, numbers)
        seconds.append(time.perf_counter() - start)
    return {
        "seconds": median(seconds[1:]),
        "above_bytes": peak_memory() - before,
        "model_bytes": model_bytes,
    }


if __name__ == "__main__":
    main()
