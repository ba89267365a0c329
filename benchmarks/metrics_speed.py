"""Time, peak memory and deviation of the streaming pixel metrics against exact ones.

    python benchmarks/metrics_speed.py --maps 2000

Each contender runs in its own process on the same maps, made one at a time from a seed. The time
is that of the metrics alone; the memory is the peak resident set above what the process had
before the first map. scikit-learn and torchmetrics need all pixels at once. Neither has AUPRO,
so they do less than mintad here. adeval counts scores in 1,000 strips between bounds that it must
be told, and has no F1. One that is not installed, or runs out of memory, is a row that says so.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from _benchmark import Stopwatch, apart, options_of, peak_memory, write_results
from mintad_lab import markdown

SIDE = 256

Figures = dict[str, float]


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


def mintad(count: int, watch: Stopwatch) -> Figures:
    from mintad.metrics import METRICS, PIXEL_METRICS, PixelAccumulator, find_profiles

    accumulator = PixelAccumulator()
    for anomaly_map, mask in make_maps(count):
        with watch:
            accumulator.update(anomaly_map, mask)
    with watch:
        ranking, (profile,) = accumulator.ranking(), find_profiles([])
        return {key: METRICS[key].measure(ranking, profile) for key in PIXEL_METRICS}


def scikit_learn(count: int, watch: Stopwatch) -> Figures:
    from sklearn import metrics

    scores = np.empty((count, SIDE * SIDE), dtype=np.float32)
    labels = np.empty((count, SIDE * SIDE), dtype=bool)
    for number, (anomaly_map, mask) in enumerate(make_maps(count)):
        scores[number], labels[number] = anomaly_map.ravel(), mask.ravel()
    with watch:
        auroc = float(metrics.roc_auc_score(labels.ravel(), scores.ravel()))
        ap = float(metrics.average_precision_score(labels.ravel(), scores.ravel()))
        precision, recall, _ = metrics.precision_recall_curve(labels.ravel(), scores.ravel())
        return {"p_auroc": auroc, "p_ap": ap, "p_f1max": best_f1(precision, recall)}


def torchmetrics(count: int, watch: Stopwatch) -> Figures:
    import torch
    from torchmetrics.classification import (
        BinaryAUROC,
        BinaryAveragePrecision,
        BinaryPrecisionRecallCurve,
    )

    auroc, ap, curve = BinaryAUROC(), BinaryAveragePrecision(), BinaryPrecisionRecallCurve()
    # Scores above 1 would pass through a sigmoid that makes ties, so the maps are scaled first.
    for anomaly_map, mask in make_maps(count):
        scores, labels = torch.from_numpy(anomaly_map / 2**20), torch.from_numpy(mask)
        with watch:
            for metric in (auroc, ap, curve):
                metric.update(scores.ravel(), labels.ravel().int())
    with watch:
        precision, recall, _ = curve.compute()
        f1 = best_f1(precision.double().numpy(), recall.double().numpy())
        return {"p_auroc": float(auroc.compute()), "p_ap": float(ap.compute()), "p_f1max": f1}


def adeval(count: int, watch: Stopwatch) -> Figures:
    if not hasattr(np, "trapz"):  # gone from numpy 2.4, which adeval 1.1 does not know
        np.trapz = np.trapezoid  # type: ignore[attr-defined]
    from adeval import EvalAccumulator

    highest = max(float(anomaly_map.max()) for anomaly_map, _ in make_maps(count))
    accumulator = EvalAccumulator(0.0, highest, 0.0, highest)
    for anomaly_map, mask in make_maps(count):
        with watch:
            accumulator.add_anomap(anomaly_map, mask.astype(np.uint8))
    with watch:
        accumulator.add_image([0.0, highest], [0, 1])  # its summary needs both classes of images
        accumulator.add_sample([0.0, highest], [0, 1])
        metrics = accumulator.summary()
    return {"p_auroc": metrics["p_auroc"], "p_ap": metrics["p_aupr"], "aupro": metrics["p_aupro"]}


def best_f1(precision: np.ndarray, recall: np.ndarray) -> float:
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12)))


CONTENDERS: dict[str, Callable[[int, Stopwatch], Figures]] = {
    "mintad": mintad,
    "scikit-learn": scikit_learn,
    "torchmetrics": torchmetrics,
    "adeval": adeval,
}
MODULES = {"scikit-learn": "sklearn"}


def measure(name: str, count: int) -> dict[str, Any]:
    """One contender's figures, in this process."""
    CONTENDERS[name](2, Stopwatch())  # imports and first calls are not measured
    before, watch = peak_memory(), Stopwatch()
    metrics = CONTENDERS[name](count, watch)
    return {
        "metrics": metrics,
        "seconds": watch.seconds,
        "bytes": peak_memory() - before,
    }


def measure_apart(name: str, count: int) -> dict[str, Any]:
    if not importlib.util.find_spec(MODULES.get(name, name)):
        return {"not_run": f"is not installed: pip install {name}"}
    try:
        return apart(__file__, "--maps", count, "--measure", name)
    except subprocess.CalledProcessError as error:
        return {"not_run": f"ended with {error.returncode}; is there memory enough?"}


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--maps", type=int, default=200, help="number of 256 x 256 maps")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", choices=CONTENDERS, help="only this, in this process")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.maps)))
        return
    results = {name: measure_apart(name, options.maps) for name in options.contenders}
    exact = results.get("scikit-learn", {}).get("metrics", {})
    rows = []
    for name, result in results.items():
        if "not_run" in result:
            rows.append([name, result["not_run"], *[markdown.DASH] * 3])
            continue
        metrics = result["metrics"]
        shared = [] if metrics == exact else [key for key in metrics if key in exact]
        deviation = max((abs(metrics[key] - exact[key]) for key in shared), default=None)
        rows.append(
            [
                name,
                ", ".join(metrics),
                f"{result['seconds']:.2f}",
                f"{result['bytes'] / 2**20:.0f}",
                markdown.DASH if deviation is None else f"{deviation:.1e}",
            ]
        )
    headings = ["", "metrics", "time, s", "peak memory, MiB", "largest deviation from scikit-learn"]
    table = markdown.table(headings, rows, words=2)
    title = f"{options.maps} maps of {SIDE} x {SIDE}"
    write_results(
        "metrics_speed", {"maps": options.maps, "runs": results}, f"{title}\n\n{table}", options.out
    )


if __name__ == "__main__":
    main()
