"""The engines of one bundle side by side with PyTorch eager float32, and the machine's limit.

    python benchmarks/runtime_speed.py [BUNDLE] [--seconds 10]

The matrix rate is measured with one large matrix product per precision in OpenVINO itself; the
network's arithmetic is counted from the graph: two operations per multiplication and addition of
every convolution and matrix product.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from _benchmark import open_bundle, options_of, write_results
from mintad.engines import Speed, measure_engines
from mintad.system import has_bfloat16
from mintad_lab import markdown

SIDE = 2048
HINTS = {"float32": "f32", "bfloat16": "bf16"}


def matrix_rate(hint: str, seconds: float = 3.0) -> float:
    """Operations per second of one product of two `SIDE` square matrices, the best of many."""
    import openvino
    from openvino import opset13 as ops

    left = ops.parameter([SIDE, SIDE], np.float32)
    right = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    product = ops.matmul(left, ops.constant(right), False, False)
    model = openvino.Model([ops.reduce_sum(product, [0, 1])], [left])
    hints = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()
    best = float("inf")
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        start = time.perf_counter()
        request.infer([right], share_inputs=True)
        best = min(best, time.perf_counter() - start)
    return 2 * SIDE**3 / best


def operations(file: Path) -> int:
    """Operations of the graph's convolutions and matrix products on one image."""
    import openvino

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
        weights = list(op.input(1).get_shape())
        if kind == "Convolution":  # (out, in, kh, kw)
            inner = int(np.prod(weights[1:]))
        elif kind == "GroupConvolution":  # (groups, out, in, kh, kw)
            inner = int(np.prod(weights[2:]))
        else:
            inner = weights[-1 if op.get_attributes()["transpose_b"] else -2]
        total += 2 * int(np.prod(list(op.output(0).shape))) * inner
    return total


def cells(speed: Speed, torch: Speed | None, rates: dict[str, float], work: int) -> list[str]:
    """A row of the table: an engine beside torch and beside the matrix rate of its precision."""
    single = None if torch is None else torch.p50_ms / speed.p50_ms
    many = None if torch is None else speed.images_per_second / torch.images_per_second
    rate = rates.get(speed.engine.partition(":")[2])
    share = None if rate is None else speed.images_per_second * work / rate
    return [
        speed.engine,
        *(f"{value:.1f}" for value in (speed.p50_ms, speed.p95_ms, speed.p99_ms)),
        f"{speed.images_per_second:.1f}",
        *(markdown.number(value, 2) for value in (single, many, share)),
        markdown.number(speed.memory_mb, 0),
    ]


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    bundle = open_bundle(options.bundle)
    graph = bundle.manifest.graph("openvino", "float32")
    if graph is None:
        raise SystemExit("The bundle holds no OpenVINO graph; run `mintad export` first.")
    rounds = [  # in turn, so that a busy minute hits all of them
        list(measure_engines(bundle, seconds=options.seconds)) for _ in range(options.rounds)
    ]
    best = [
        max(speeds, key=lambda speed: speed.images_per_second)
        for speeds in zip(*rounds, strict=True)
    ]
    rates = {
        name: matrix_rate(hint)
        for name, hint in HINTS.items()
        if name == "float32" or has_bfloat16()
    }
    work = operations(bundle.file(graph.file))
    torch = next((speed for speed in best if speed.engine.startswith("torch")), None)
    headings = ["engine", "p50 ms", "p95 ms", "p99 ms", "images/s", "x torch, one"]
    headings += ["x torch, many", "share of matrix rate", "memory MB"]
    table = markdown.table(headings, [cells(speed, torch, rates, work) for speed in best])
    limits = ", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in rates.items())
    text = f"{work / 1e9:.2f} GFLOP per image; measured matrix rate: {limits}\n\n{table}"
    content = {
        "operations_per_image": work,
        "matrix_rates": rates,
        "speeds": [asdict(speed) for speeds in rounds for speed in speeds],
        "products": len(bundle.manifest.products),
        "recipe": bundle.manifest.recipe,
    }
    write_results("runtime_speed", content, text, options.out)


if __name__ == "__main__":
    main()
