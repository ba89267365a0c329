"""mintad's exported graph beside anomalib's exported models, for a line of 1, 5 and 15 products.

    python benchmarks/exported_peers.py --products 1 5 15 --precision f32 bf16

anomalib needs one model per product: all of them stay loaded, and images of all products come in
turn; "a change" is the time until the first answer of a model that is loaded instead, from
OpenVINO's cache. mintad has one graph. Everything runs in OpenVINO, in processes of their own, on
the same images of noise. Weights are random, because the cost does not depend on them.
It needs `mintad-lab[peers]`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import mintad
from _benchmark import apart, options_of, write_results
from mintad.engines import resident_memory
from mintad.system import core_count
from mintad_lab import markdown

OURS = "mintad fast"
HEADINGS = {
    "images/s": "images_per_second",
    "p50 ms": "p50_ms",
    "p95 ms": "p95_ms",
    "memory MB": "memory_mb",
    "disk MB": "disk_mb",
    "a change, ms": "change_ms",
}


def export_peer(name: str, folder: Path) -> Path:
    """anomalib's own export of one model, for one image at a time; its OpenVINO graph."""
    from mintad_lab.peers.untrained import build_untrained

    peer = build_untrained(name)
    with contextlib.redirect_stdout(sys.stderr):  # the exporter's chatter
        peer.module.to_openvino(
            folder, input_size=(peer.size, peer.size), onnx_kwargs={"dynamic_shapes": None}
        )
    return next(folder.rglob("*.xml"))


def export_ours(products: int, folder: Path) -> Path:
    """The recipe `fast`, trained on noise of that many products; the path of its graph."""
    rng = np.random.default_rng(0)
    for product, row in itertools.product(range(products), range(16)):
        place = folder / "data" / f"product-{product:02d}" / "train" / "good"
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).resize((224, 224)).save(place / f"{row:02d}.png")
    bundle = mintad.train([folder / "data"], folder / "run", recipe="fast")
    entry = bundle.manifest.graph("openvino", "float32")
    assert entry is not None, bundle.manifest.graph_problem
    return bundle.file(entry.file)


def copies(file: Path, count: int, place: Path) -> list[Path]:
    """A file for each product, because the system shares the memory of one that is read twice."""
    targets = [place / f"model-{row}.xml" for row in range(count)]
    for target in targets:
        shutil.copy(file, target)
        shutil.copy(file.with_suffix(".bin"), target.with_suffix(".bin"))
    return targets


class Graph:
    """A compiled graph with a request for each stream, and an image of noise to give it."""

    def __init__(self, file: Path, precision: str, streams: int, cache: str = "") -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(file)
        shapes = {port: port.partial_shape for port in model.inputs}
        for shape in shapes.values():
            shape[0] = 1
        model.reshape(shapes)
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(core_count()),
        }
        compiled = core.compile_model(
            model, "CPU", options | ({"CACHE_DIR": cache} if cache else {})
        )
        self._requests = [compiled.create_infer_request() for _ in range(streams)]
        rng = np.random.default_rng(0)
        self._image: list[np.ndarray] = []
        for port in compiled.inputs:
            if port.element_type == openvino.Type.i64:  # the product: none is told
                self._image.append(np.full([*port.shape], -1, np.int64))
            elif port.element_type == openvino.Type.u8:
                self._image.append(rng.integers(0, 256, [*port.shape], np.uint8))
            else:
                self._image.append(rng.random([*port.shape], np.float32))
        self.infer()

    def infer(self, stream: int = 0) -> None:
        """One image; each stream may run in a thread of its own."""
        self._requests[stream].infer(self._image, share_inputs=True)


def measure(files: list[Path], precision: str, seconds: float) -> dict[str, float]:
    """Images come for each graph in turn: one at a time on all cores, then a stream on each."""
    change = change_seconds(files[0], precision)
    graphs = [Graph(file, precision, 1) for file in files]
    times: list[float] = []
    stop = time.perf_counter() + seconds
    for graph in itertools.cycle(graphs):
        start = time.perf_counter()
        graph.infer()
        times.append(time.perf_counter() - start)
        if time.perf_counter() > stop:
            break
    memory = resident_memory() or float("nan")
    del graphs, graph
    streams = core_count()
    opened = [Graph(file, precision, streams) for file in files]
    turn = list(itertools.islice(itertools.cycle(opened), 32))

    def run(stream: int) -> None:
        for graph in turn[stream::streams]:
            graph.infer(stream)

    count = 0
    with ThreadPoolExecutor(streams) as pool:
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            list(pool.map(run, range(streams)))
            count += len(turn)
        rate = count / (time.perf_counter() - start)
    disk = sum(f.stat().st_size + f.with_suffix(".bin").stat().st_size for f in files)
    return {
        "images_per_second": rate,
        "p50_ms": float(np.percentile(times, 50) * 1e3),
        "p95_ms": float(np.percentile(times, 95) * 1e3),
        "memory_mb": memory,
        "disk_mb": disk / 1e6,
        "change_ms": change * 1e3,
    }


def change_seconds(file: Path, precision: str) -> float:
    """Until the first answer of a model that OpenVINO's cache knows."""
    with tempfile.TemporaryDirectory() as cache:
        Graph(file, precision, 1, cache)
        start = time.perf_counter()
        Graph(file, precision, 1, cache)
        return time.perf_counter() - start


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--products", nargs="+", type=int, default=[1, 5, 15])
    parser.add_argument("--precision", nargs="+", default=["f32", "bf16"])
    parser.add_argument("--methods", nargs="+", help="mintad fast, padim and so on (default: all)")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", nargs="+", type=Path, help="only these, in this process")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.precision[0], options.seconds)))
        return
    from mintad_lab.peers.untrained import UNTRAINED  # torch, which a measurement has no part of

    methods = options.methods or [OURS, *UNTRAINED]
    runs: list[dict[str, Any]] = []
    for method, products in itertools.product(methods, options.products):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            if method == OURS:
                files = [export_ours(products, place)]
            else:
                files = copies(export_peer(method, place / "export"), products, place)
            for precision in options.precision:
                words = ["--precision", precision, "--seconds", options.seconds, "--measure"]
                figures = apart(__file__, *words, *files)
                runs.append({"method": method, "products": products, "precision": precision})
                runs[-1] |= figures
    rows = [
        [run["method"], str(run["products"]), run["precision"]]
        + [
            markdown.number(run[key], 0 if key.endswith(("mb", "change_ms")) else 1)
            for key in HEADINGS.values()
        ]
        for run in runs
    ]
    table = markdown.table(["method", "products", "precision", *HEADINGS], rows, words=3)
    write_results("exported_peers", {"runs": runs}, table, options.out)


if __name__ == "__main__":
    main()
