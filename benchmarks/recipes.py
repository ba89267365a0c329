"""Trains recipes from the images to the bundle, measures them, and writes one table.

    MINTAD_DATA=... python benchmarks/recipes.py --recipes fast default --seeds 0 1 2

Each training is a process of its own with an empty feature cache, so its time holds everything.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from mintad.demo.data import make_demo_data

LEFT_OUT = "left-out"
SETS = {
    LEFT_OUT: ("hazelnut",),
    "line-5": ("mvtec_ad", "magnetic_tile"),
    "line-6": ("mvtec_ad", "magnetic_tile", "hazelnut"),
}
COLUMNS = ("i_auroc", "i_ap", "i_f1max", "p_auroc", "p_ap", "p_f1max", "aupro")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--recipes", nargs="+", default=["fast"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--line", choices=SETS, default="line-6")
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    options = parser.parse_args()

    roots = data_roots(options.line)
    results = [
        run(recipe, seed, roots, options.set, options.out)
        for recipe in options.recipes
        for seed in options.seeds
    ]
    machine = {"system": platform.platform(), "cores": os.cpu_count()}
    options.out.mkdir(parents=True, exist_ok=True)
    raw = {"line": options.line, "set": options.set, "machine": machine, "runs": results}
    (options.out / "recipes.json").write_text(json.dumps(raw, indent=2), encoding="utf-8")
    first = {result["recipe"]: result for result in reversed(results)}
    products = [f"{name}\n\n{per_product(first[name]['evaluation'])}" for name in options.recipes]
    table = "\n\n".join((per_recipe(results), *products))
    (options.out / "recipes.md").write_text(table + "\n", encoding="utf-8")
    print(table)


def data_roots(line: str) -> list[str]:
    """The folders of a line's image sets in `MINTAD_DATA`; leaves the program without them."""
    data = os.environ.get("MINTAD_DATA")
    if not data:
        sys.exit("MINTAD_DATA must name the folder that holds the image sets.")
    roots = [str(Path(data) / name) for name in SETS[line]]
    if line == LEFT_OUT:  # and the demo's solar cells and textures
        demo = Path("runs/left-out-data")
        make_demo_data(demo)
        roots.append(str(demo))
    if missing := [root for root in roots if not Path(root).is_dir()]:
        sys.exit(f"These image sets are missing: {', '.join(missing)}.")
    return roots


def run(recipe: str, seed: int, roots: list[str], fields: list[str], out: Path) -> dict[str, Any]:
    """One training and one evaluation; what it took and what came out."""
    place = out / f"{recipe}-{seed}"
    cache = out / "cache"
    for folder in (place, cache):
        shutil.rmtree(folder, ignore_errors=True)
    mintad = [sys.executable, "-m", "mintad.cli"]
    settings = [word for field in fields for word in ("--set", field)]
    train = ["train", *roots, "--recipe", recipe, "--seed", str(seed), "--out", str(place)]
    start = time.perf_counter()
    subprocess.run([*mintad, *train, "--cache", str(cache), *settings], check=True)
    seconds = time.perf_counter() - start
    numbers = place / "evaluation.json"
    start = time.perf_counter()
    subprocess.run([*mintad, "evaluate", str(place), *roots, "--json", str(numbers)], check=True)
    evaluated = time.perf_counter() - start
    shutil.rmtree(cache, ignore_errors=True)
    evaluation = json.loads(numbers.read_text(encoding="utf-8"))
    size = (place / "bundle" / "model.safetensors").stat().st_size
    return {
        "recipe": recipe,
        "seed": seed,
        "train_seconds": seconds,
        "evaluate_seconds": evaluated,
        "model_bytes": size,
        "model_bytes_per_product": size / len(evaluation["products"]),
        "evaluation": evaluation,
    }


def per_recipe(results: list[dict[str, Any]]) -> str:
    """A row per recipe: mean and, over several seeds, deviation."""
    rows = [
        "| recipe | seeds | training, from images | image AUROC, macro | pooled | P-AP | AUPRO "
        "| model, per product |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for recipe in dict.fromkeys(result["recipe"] for result in results):
        mine = [result for result in results if result["recipe"] == recipe]
        macro = [result["evaluation"]["macro"] for result in mine]
        pooled = [result["evaluation"]["pooled"]["i_auroc"] for result in mine]
        rows.append(
            f"| {recipe} | {len(mine)} | {mean(r['train_seconds'] for r in mine):.0f} s "
            f"| {spread([row['i_auroc'] for row in macro])} | {spread(pooled)} "
            f"| {spread([row['p_ap'] for row in macro])} "
            f"| {spread([row['aupro'] for row in macro])} "
            f"| {mean(r['model_bytes_per_product'] for r in mine) / 1e6:.2f} MB |"
        )
    return "\n".join(rows)


def per_product(evaluation: dict[str, Any]) -> str:
    """The seven metrics per product of one run, macro and pooled."""
    rows = [
        "| product | image AUROC | AP | F1-max | pixel AUROC | AP | F1-max | AUPRO |",
        "|---|---|---|---|---|---|---|---|",
    ]
    parts = {**evaluation["products"], "macro": evaluation["macro"], "pooled": evaluation["pooled"]}
    for name, values in parts.items():
        cells = ["–" if values[key] is None else f"{values[key]:.3f}" for key in COLUMNS]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def spread(values: list[float]) -> str:
    """A mean, and its standard deviation where there is more than one value."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{mean(values):.3f} ± {stdev(values):.3f}"


if __name__ == "__main__":
    main()
