"""Time, peak memory and deviation of the streaming pixel metrics against exact ones.

    python benchmarks/metrics_speed.py --maps 2000

Each contender runs in its own process on the same maps, made one at a time from a seed. The time
is that of the metrics alone; the memory is the peak resident set above what the process had
before the first map. scikit-learn and torchmetrics need all pixels at once. Neither has AUPRO,
so they do less than mintad here. adeval counts scores in 1,000 strips between bounds that it must
be told, and has no F1. One that is not installed, or runs out of memory, is a row that says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 256


def make_maps(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Heavy-tailed maps; every second one has up to four round defects."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    for number in range(count):
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        for _ in range(rng.integers(1, 5) if number % 2 else 0):
            row, column, radius = *rng.integers(0, SIDE, 2), rng.integers(3, 32)
            mask |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
        noise = rng.standard_normal((SIDE, SIDE), dtype=np.float32)
        yield np.exp(noise + np.float32(2) * mask), mask


def mintad(count: int) -> dict[str, float]:
    from mintad.metrics import METRICS, PIXEL_METRICS, PixelAccumulator, find_profiles

    accumulator = PixelAccumulator()
    spent = 0.0
    for anomaly_map, mask in make_maps(count):
        started = time.perf_counter()
        accumulator.update(anomaly_map, mask)
        spent += time.perf_counter() - started
    started = time.perf_counter()
    ranking, (profile,) = accumulator.ranking(), find_profiles([])
    values = {key: METRICS[key].measure(ranking, profile) for key in PIXEL_METRICS}
    spent += time.perf_counter() - started
    return values | {"seconds": spent}


def scikit_learn(count: int) -> dict[str, float]:
    from sklearn import metrics

    scores, labels = gather(count)
    started = time.perf_counter()
    found = {
        "p_auroc": float(metrics.roc_auc_score(labels, scores)),
        "p_ap": float(metrics.average_precision_score(labels, scores)),
    }
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    found["p_f1max"] = best_f1(precision, recall)
    return found | {"seconds": time.perf_counter() - started}


def torchmetrics(count: int) -> dict[str, float]:
    import torch
    from torchmetrics.classification import (
        BinaryAUROC,
        BinaryAveragePrecision,
        BinaryPrecisionRecallCurve,
    )

    auroc, ap, curve = BinaryAUROC(), BinaryAveragePrecision(), BinaryPrecisionRecallCurve()
    spent = 0.0
    # Scores above 1 would pass through a sigmoid that makes ties, so the maps are scaled first.
    for anomaly_map, mask in make_maps(count):
        scores, labels = torch.from_numpy(anomaly_map / 2**20), torch.from_numpy(mask)
        started = time.perf_counter()
        for metric in (auroc, ap, curve):
            metric.update(scores.ravel(), labels.ravel().int())
        spent += time.perf_counter() - started
    started = time.perf_counter()
    found = {"p_auroc": float(auroc.compute()), "p_ap": float(ap.compute())}
    precision, recall, _ = curve.compute()
    found["p_f1max"] = best_f1(precision.double().numpy(), recall.double().numpy())
    return found | {"seconds": spent + time.perf_counter() - started}


def adeval(count: int) -> dict[str, float]:
    if not hasattr(np, "trapz"):  # gone from numpy 2.4, which adeval 1.1 does not know
        np.trapz = np.trapezoid  # type: ignore[attr-defined]
    from adeval import EvalAccumulator

    highest = max(float(anomaly_map.max()) for anomaly_map, _ in make_maps(count))
    accumulator = EvalAccumulator(0.0, highest, 0.0, highest)
    spent = 0.0
    for anomaly_map, mask in make_maps(count):
        started = time.perf_counter()
        accumulator.add_anomap(anomaly_map, mask.astype(np.uint8))
        spent += time.perf_counter() - started
    started = time.perf_counter()
    accumulator.add_image([0.0, highest], [0, 1])  # its summary needs both classes of images
    accumulator.add_sample([0.0, highest], [0, 1])
    found = accumulator.summary()
    spent += time.perf_counter() - started
    return {
        "p_auroc": found["p_auroc"],
        "p_ap": found["p_aupr"],
        "aupro": found["p_aupro"],
        "seconds": spent,
    }


def gather(count: int) -> tuple[np.ndarray, np.ndarray]:
    scores = np.empty((count, SIDE * SIDE), dtype=np.float32)
    labels = np.empty((count, SIDE * SIDE), dtype=bool)
    for number, (anomaly_map, mask) in enumerate(make_maps(count)):
        scores[number], labels[number] = anomaly_map.ravel(), mask.ravel()
    return scores.ravel(), labels.ravel()


def best_f1(precision: np.ndarray, recall: np.ndarray) -> float:
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12)))


CONTENDERS = {
    "mintad": mintad,
    "scikit-learn": scikit_learn,
    "torchmetrics": torchmetrics,
    "adeval": adeval,
}
MODULES = {"scikit-learn": "sklearn"}


def measure(name: str, count: int) -> None:
    """Run one contender in this process and print its figures as JSON."""
    CONTENDERS[name](2)  # imports and first calls are not measured
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = CONTENDERS[name](count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps(found | {"mebibytes": peak / 1024}))


def run(name: str, count: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--maps", str(count), "--only", name]
    finished = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if finished.returncode:
        return {"not_run": f"ended with {finished.returncode}; is there memory enough?"}
    figures: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--maps", type=int, default=200, help="number of 256 x 256 maps")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--json", type=Path, help="also write the raw figures to this file")
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        measure(options.only, options.maps)
        return
    results = {
        name: run(name, options.maps)
        if importlib.util.find_spec(MODULES.get(name, name))
        else {"not_run": f"is not installed: pip install {name}"}
        for name in options.contenders
    }
    reference = results.get("scikit-learn", {})
    print(f"{options.maps} maps of {SIDE} x {SIDE}\n")
    print("| | metrics | time (s) | peak memory (MiB) | largest deviation from scikit-learn |")
    print("|---|---|---|---|---|")
    for name, found in results.items():
        if "not_run" in found:
            print(f"| {name} | {found['not_run']} | - | - | - |")
            continue
        metrics = [key for key in found if key not in ("seconds", "mebibytes")]
        deviation = "-"
        shared = [key for key in metrics if key in reference]
        if shared and found is not reference:
            deviation = f"{max(abs(found[key] - reference[key]) for key in shared):.1e}"
        cells = [name, ", ".join(metrics), f"{found['seconds']:.2f}", f"{found['mebibytes']:.0f}"]
        print("| " + " | ".join([*cells, deviation]) + " |")
    if options.json:
        options.json.write_text(json.dumps({"maps": options.maps, **results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
