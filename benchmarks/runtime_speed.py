"""The engines of one bundle side by side with PyTorch eager float32, and the machine's limit.

    python benchmarks/runtime_speed.py [BUNDLE] [--seconds 10] [--out runs/runtime_speed]

The matrix rate is measured with one large matrix product per precision in OpenVINO itself; the
network's arithmetic is counted from the graph: two operations per multiplication and addition of
every convolution and matrix product.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from _bundle import open_bundle
from mintad.bundle import Bundle
from mintad.cli.doctor import describe_machine
from mintad.engines import engine_names
from mintad.engines.speed import Speed, measure_apart
from mintad.system.openvino_runtime import openvino
from mintad.system.processor import has_bfloat16

SIZE = 2048
HINTS = {"float32": "f32", "bfloat16": "bf16"}


def matrix_rate(hint: str, seconds: float = 3.0) -> float:
    """Operations per second of one product of two `SIZE` square matrices, the best of many."""
    left = openvino.opset13.parameter([SIZE, SIZE], np.float32)
    right = np.random.default_rng(0).standard_normal((SIZE, SIZE)).astype(np.float32)
    product = openvino.opset13.matmul(left, openvino.opset13.constant(right), False, False)
    model = openvino.Model([openvino.opset13.reduce_sum(product, [0, 1])], [left])
    request = (
        openvino.Core()
        .compile_model(
            model, "CPU", {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        )
        .create_infer_request()
    )
    best = float("inf")
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        start = time.perf_counter()
        request.infer([right], share_inputs=True)
        best = min(best, time.perf_counter() - start)
    return 2 * SIZE**3 / best


def operations(file: Path) -> int:
    """Operations of the graph's convolutions and matrix products on one image."""
    model = openvino.Core().read_model(file)
    shapes = {port: port.partial_shape for port in model.inputs}
    for shape in shapes.values():
        shape[0] = 1
    model.reshape(shapes)
    total = 0
    for op in model.get_ops():
        kind = op.get_type_name()
        if kind not in ("Convolution", "GroupConvolution", "MatMul"):
            continue
        out = int(np.prod(list(op.output(0).shape)))
        weights = list(op.input(1).get_shape())
        if kind == "Convolution":  # (out, in, kh, kw)
            inner = int(np.prod(weights[1:]))
        elif kind == "GroupConvolution":  # (groups, out, in, kh, kw)
            inner = int(np.prod(weights[2:]))
        else:
            inner = weights[-1 if op.get_attributes()["transpose_b"] else -2]
        total += 2 * out * inner
    return total


def table(speeds: list[Speed], rates: dict[str, float], work: int) -> str:
    torch = next((one for one in speeds if one.engine.startswith("torch")), None)
    lines = [
        f"{work / 1e9:.2f} GFLOP per image; measured matrix rate: "
        + ", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in rates.items()),
        "",
        "| engine | p50 ms | p95 ms | p99 ms | images/s | x torch, one | x torch, many | "
        "share of matrix rate | memory MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in speeds:
        rate = rates.get(one.engine.partition(":")[2])
        share = "" if rate is None else f"{one.images_per_second * work / rate:.2f}"
        times = ["", ""]
        if torch is not None:
            times = [
                f"{torch.p50_ms / one.p50_ms:.2f}",
                f"{one.images_per_second / torch.images_per_second:.2f}",
            ]
        lines.append(
            f"| {one.engine} | {one.p50_ms:.1f} | {one.p95_ms:.1f} | {one.p99_ms:.1f} | "
            f"{one.images_per_second:.1f} | {times[0]} | {times[1]} | {share} | "
            f"{one.memory_mb or 0:.0f} |"
        )
    return "\n".join(lines)


def run(bundle: Bundle, seconds: float, rounds: int) -> dict[str, Any]:
    names = engine_names(bundle)
    measured = {name: [] for name in names}  # type: dict[str, list[Speed]]
    for _ in range(rounds):  # in turn, so that a busy minute hits all of them
        for name in names:
            measured[name].append(measure_apart(bundle, name, seconds))
    speeds = [max(found, key=lambda one: one.images_per_second) for found in measured.values()]
    rates = {
        name: matrix_rate(hint)
        for name, hint in HINTS.items()
        if name == "float32" or has_bfloat16()
    }
    entry = bundle.manifest.graph("openvino", "float32")
    if entry is None:
        raise SystemExit("The bundle holds no OpenVINO graph; run `mintad export` first.")
    work = operations(bundle.path / entry.file)
    print(table(speeds, rates, work))
    return {
        "operations_per_image": work,
        "matrix_rates": rates,
        "speeds": [asdict(one) for found in measured.values() for one in found],
        "products": len(bundle.manifest.products),
        "recipe": bundle.manifest.recipe,
        "machine": describe_machine(),
        "table": table(speeds, rates, work),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/runtime_speed"))
    arguments = parser.parse_args()
    found = run(open_bundle(arguments.bundle), arguments.seconds, arguments.rounds)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "speed.json").write_text(json.dumps(found, indent=2) + "\n")
    (arguments.out / "speed.md").write_text(found["table"] + "\n")


if __name__ == "__main__":
    main()
