"""mintad's exported graph beside anomalib's exported models, for a line of 1, 5 and 15 products.

    python benchmarks/exported_peers.py --products 1 5 15 --precision f32 bf16

anomalib needs one model per product: all of them stay loaded, and images of all products come in
turn; "a change" is the time until the first answer of a model that is loaded instead, from
OpenVINO's cache. mintad has one graph. Everything runs in OpenVINO, in processes of their own, on
the same images of noise. Weights are random, because the cost does not depend on them.
It needs `mintad-lab[peers]`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mintad.engines.speed import resident_memory
from mintad.system.openvino_runtime import (
    Inputs,
    Streams,
    compile_model,
    openvino,
    stream_options,
)
from mintad.system.threads import core_count

PEERS = {
    "PaDiM": "anomalib padim",
    "PatchCore": "anomalib patchcore",
    "EfficientAD-S": "anomalib efficient-ad",
}
OURS = "mintad fast"


def export_peer(method: str, folder: Path) -> Path:
    """anomalib's own export of one model, for one image at a time; its OpenVINO graph."""
    from anomalib.models import EfficientAd, Padim, Patchcore

    from mintad_lab.complexity.peers import create_peer

    classes: dict[str, Any] = {"PaDiM": Padim, "PatchCore": Patchcore, "EfficientAD-S": EfficientAd}
    network, size, _ = create_peer(PEERS[method])
    bare: dict[str, Any] = dict.fromkeys(
        ("pre_processor", "post_processor", "evaluator", "visualizer"), False
    )
    if method != "EfficientAD-S":
        bare["pre_trained"] = False
    module = classes[method](**bare)
    module.model = network
    with contextlib.redirect_stdout(sys.stderr):  # the exporter's chatter
        module.eval().to_openvino(
            folder, input_size=(size, size), onnx_kwargs={"dynamic_shapes": None}
        )
    return next(folder.rglob("*.xml"))


def export_ours(products: int, folder: Path) -> Path:
    """The recipe `fast`, trained on noise of that many products; the path of its graph."""
    import mintad

    rng = np.random.default_rng(0)
    for product, row in itertools.product(range(products), range(16)):
        place = folder / "data" / f"product-{product:02d}" / "train" / "good"
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).resize((224, 224)).save(place / f"{row:02d}.png")
    bundle = mintad.train([folder / "data"], folder / "run", recipe="fast")
    entry = bundle.manifest.graph("openvino", "float32")
    assert entry is not None, bundle.manifest.graph_problem
    return bundle.path / entry.file


def open_graph(file: Path, precision: str, streams: int, cache: str = "") -> tuple[Streams, Inputs]:
    """A graph for one image at a time, and an image of noise, with no product told to mintad's."""
    options = stream_options(streams, precision) | ({"CACHE_DIR": cache} if cache else {})
    model = openvino.Core().read_model(file)
    shapes = {port: port.partial_shape for port in model.inputs}
    for shape in shapes.values():
        shape[0] = 1
    model.reshape(shapes)
    compiled = compile_model(model, options)
    rng = np.random.default_rng(0)
    image: list[np.ndarray] = []
    for port in compiled.inputs:
        if port.element_type == openvino.Type.i64:
            image.append(np.full([*port.shape], -1, np.int64))
        elif port.element_type == openvino.Type.u8:
            image.append(rng.integers(0, 256, [*port.shape], np.uint8))
        else:
            image.append(rng.random([*port.shape], np.float32))
    return Streams(compiled, streams), image


def measure(files: list[Path], precision: str, seconds: float) -> dict[str, float]:
    """Images come for each graph in turn: one at a time on all cores, then a stream on each."""
    change = change_seconds(files[0], precision)
    live = [open_graph(file, precision, 1) for file in files]
    times: list[float] = []
    stop = time.perf_counter() + seconds
    for graph, image in itertools.cycle(live):
        start = time.perf_counter()
        graph.infer(image)
        times.append(time.perf_counter() - start)
        if time.perf_counter() > stop:
            break
    memory = resident_memory() or float("nan")
    del live, graph
    opened = [open_graph(file, precision, core_count()) for file in files]
    turn = list(itertools.islice(itertools.cycle(opened), 32))
    count = 0
    with ThreadPoolExecutor(core_count()) as pool:
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            list(pool.map(lambda pair: pair[0].infer(pair[1]), turn))
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
        open_graph(file, precision, 1, cache)
        start = time.perf_counter()
        open_graph(file, precision, 1, cache)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--products", nargs="+", type=int, default=[1, 5, 15])
    parser.add_argument("--precision", nargs="+", default=["f32", "bf16"])
    parser.add_argument("--methods", nargs="+", default=[OURS, *PEERS])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/exported-peers"))
    parser.add_argument("--measure", nargs="+", type=Path)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.precision[0], options.seconds)))
        return
    print(
        "| method | products | precision | images/s | p50 ms | p95 ms | memory MB | disk MB "
        "| a change, ms |\n|---|---|---|---|---|---|---|---|---|"
    )
    rows = []
    for method, products in itertools.product(options.methods, options.products):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            if method == OURS:
                files = [export_ours(products, place)]
            else:
                files = copies(export_peer(method, place / "export"), products, place)
            for precision in options.precision:
                command = [sys.executable, __file__, "--precision", precision]
                command += ["--seconds", str(options.seconds), "--measure", *map(str, files)]
                answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                found = json.loads(answer.stdout.splitlines()[-1])
                rows.append({"method": method, "products": products, "precision": precision})
                rows[-1] |= found
                change = "–" if method == OURS else f"{found['change_ms']:.0f}"
                print(
                    f"| {method} | {products} | {precision} | {found['images_per_second']:.1f} "
                    f"| {found['p50_ms']:.1f} | {found['p95_ms']:.1f} | {found['memory_mb']:.0f} "
                    f"| {found['disk_mb']:.0f} | {change} |",
                    flush=True,
                )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "exported_peers.json").write_text(json.dumps(rows, indent=2) + "\n")


def copies(file: Path, count: int, place: Path) -> list[Path]:
    """A file for each product, because the system shares the memory of one that is read twice."""
    found = []
    for row in range(count):
        target = place / f"model-{row}.xml"
        shutil.copy(file, target)
        shutil.copy(file.with_suffix(".bin"), target.with_suffix(".bin"))
        found.append(target)
    return found


if __name__ == "__main__":
    main()
