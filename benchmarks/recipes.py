"""Trains recipes from the images to the exported graph, measures them, and writes one table.

    python benchmarks/recipes.py DATA... --recipes fast default --seeds 0 1 2

Each training is a process of its own with an empty feature cache, so its time holds everything.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from _benchmark import demo_data, options_of, write_results
from mintad.bundle import load
from mintad.metrics import METRICS, headings
from mintad.system import read_json
from mintad_lab import markdown


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("data", nargs="*", help="folders of images (default: the demo's)")
    parser.add_argument("--recipes", nargs="+", default=["fast"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    options = parser.parse_args()
    data = options.data or [str(demo_data())]
    runs = {
        recipe: [run(recipe, seed, data, options.set, options.out) for seed in options.seeds]
        for recipe in options.recipes
    }
    columns = ["recipe", "seeds", "training, from images", "image AUROC, macro", "pooled"]
    columns += ["P-AP", "AUPRO", "model, per product"]
    tables = [markdown.table(columns, [summary(recipe, runs[recipe]) for recipe in runs])]
    for recipe, (first, *_) in runs.items():
        evaluation = first["evaluation"]
        parts = evaluation["products"] | {part: evaluation[part] for part in ("macro", "pooled")}
        rows = [
            [name, *(markdown.number(metrics[key]) for key in METRICS)]
            for name, metrics in parts.items()
        ]
        tables.append(f"{recipe}\n\n{markdown.table(['product', *headings()], rows)}")
    content = {"data": data, "set": options.set, "runs": runs}
    write_results("recipes", content, "\n".join(tables), options.out)


def run(recipe: str, seed: int, data: list[str], fields: list[str], out: Path) -> dict[str, Any]:
    """One training and one evaluation; what it took and what came out."""
    place, cache = out / f"{recipe}-{seed}", out / "cache"
    for folder in (place, cache):
        shutil.rmtree(folder, ignore_errors=True)
    mintad = [sys.executable, "-m", "mintad.cli"]
    options = ["--recipe", recipe, "--seed", str(seed), "--out", str(place), "--cache", str(cache)]
    settings = [word for field in fields for word in ("--set", field)]
    start = time.perf_counter()
    subprocess.run([*mintad, "train", *data, *options, *settings], check=True)
    trained = time.perf_counter()
    numbers = place / "evaluation.json"
    subprocess.run([*mintad, "evaluate", str(place), *data, "--json", str(numbers)], check=True)
    evaluated = time.perf_counter()
    shutil.rmtree(cache, ignore_errors=True)
    return {
        "seed": seed,
        "train_seconds": trained - start,
        "evaluate_seconds": evaluated - trained,
        "model_bytes": load(place).manifest.files["model.safetensors"].bytes,
        "evaluation": read_json(numbers),
    }


def summary(recipe: str, runs: list[dict[str, Any]]) -> list[str]:
    """A row of the table: mean and, over several seeds, deviation."""
    evaluations = [run["evaluation"] for run in runs]
    products = len(evaluations[0]["products"])
    columns = [("macro", "i_auroc"), ("pooled", "i_auroc"), ("macro", "p_ap"), ("macro", "aupro")]
    return [
        recipe,
        str(len(runs)),
        f"{mean(run['train_seconds'] for run in runs):.0f} s",
        *(spread([evaluation[part][key] for evaluation in evaluations]) for part, key in columns),
        f"{mean(run['model_bytes'] for run in runs) / products / 1e6:.2f} MB",
    ]


def spread(values: list[float]) -> str:
    """A mean, and its standard deviation where there is more than one value."""
    deviation = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
    return f"{mean(values):.3f}{deviation}"


if __name__ == "__main__":
    main()
