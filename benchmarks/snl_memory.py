"""The peak memory of SNL's training steps on both students, and what a step takes.

    python benchmarks/snl_memory.py --size 256 --batch 16

Each method runs in a process of its own on random rows and images: memory does not depend on what
they show. The peak is that of the whole process, interpreter and libraries included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

METHODS = ("stfpm", "snl-stfpm", "rd4ad", "snl-rd4ad")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--out", type=Path, default=Path("runs/snl_memory"))
    parser.add_argument("--only", choices=METHODS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options)))
        return

    results = []
    for method in options.methods:
        words = [sys.executable, __file__, *sys.argv[1:], "--only", method]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        results.append(json.loads(done.stdout.splitlines()[-1]))
    shared = {"size": options.size, "batch": options.batch, "precision": options.precision}
    machine = {"system": platform.platform(), "cores": os.cpu_count()}
    options.out.mkdir(parents=True, exist_ok=True)
    raw = json.dumps({**shared, "machine": machine, "runs": results}, indent=2)
    (options.out / "snl_memory.json").write_text(raw, encoding="utf-8")
    table = "\n".join(rows(results))
    (options.out / "snl_memory.md").write_text(table + "\n", encoding="utf-8")
    print(table)


def measure(method: str, options: argparse.Namespace) -> dict[str, Any]:
    """Peak memory in bytes and seconds of the fastest of some steps."""
    import torch

    from mintad.assembly import build_model
    from mintad.backbones import row_shape, unpack
    from mintad.training.recipe import load_recipe

    size = {"model": method, "backbone.input_size": [options.size] * 2}
    recipe = load_recipe("stfpm" if method.endswith("stfpm") else "rd4ad", size)
    torch.manual_seed(recipe.seed)
    model = build_model(recipe, ["product"]).model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    before = peak()
    seconds = []
    for _ in range(options.steps):
        rows = torch.randn(options.batch, *row_shape(model.shape))
        features = unpack(rows, model.shape)
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bfloat16"):
            loss = model.loss(features, torch.zeros(options.batch, dtype=torch.int64))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return {
        "method": method,
        "peak_bytes": peak(),
        "bytes_before": before,
        "seconds_per_step": min(seconds),
        "threads": torch.get_num_threads(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def peak() -> int:
    """The largest resident size of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def rows(results: list[dict[str, Any]]) -> list[str]:
    """The table."""
    lines = ["| method | peak memory | of it before training | a step |", "|---|---|---|---|"]
    return lines + [
        f"| {result['method']} | {result['peak_bytes'] / 1e9:.2f} GB "
        f"| {result['bytes_before'] / 1e9:.2f} GB | {result['seconds_per_step']:.2f} s |"
        for result in results
    ]


if __name__ == "__main__":
    main()
