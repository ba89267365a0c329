"""How fast an engine is on this machine, and how much memory it takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mintad.bundle import Bundle, load
from mintad.engines.choice import engine_names
from mintad.engines.engine import open_engine
from mintad.engines.timing import latencies, noise, throughput
from mintad.errors import BundleError


@dataclass(frozen=True, slots=True)
class Speed:
    """Latencies of one prepared image in milliseconds, throughput in images per second.

    `load_seconds` is the time until the first answer, `memory_mb` what the process that runs
    nothing else holds at the end. Decoding and resizing are not in it.
    """

    engine: str
    load_seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    images_per_second: float
    memory_mb: float | None


def measure_engines(
    bundle: Bundle, engines: Sequence[str] = (), *, seconds: float = 5.0
) -> Iterator[Speed]:
    """The speed of each of `engines` (none: all that run here), as soon as it is known.

    Each has a process of its own, so that its memory is that of this engine alone. Raises
    `BundleError` where one does not run.
    """
    for name in engines or engine_names(bundle):
        yield measure_apart(bundle, name, seconds)


def measure_apart(bundle: Bundle, engine: str, seconds: float) -> Speed:
    """`measure` in a process of its own, so that its memory is that of this engine alone.

    Raises `BundleError` where the engine does not run.
    """
    code = f"from {__name__} import main; main()"
    command = [sys.executable, "-c", code, str(bundle.path), engine, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        cause = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise BundleError(
            f"The engine {engine} does not run {bundle.path}: {cause}.",
            "Leave it out with --engine, or export the bundle once more.",
        )
    return Speed(**json.loads(done.stdout.splitlines()[-1]))


def measure(bundle: Bundle, engine: str, seconds: float) -> Speed:
    """Latency at batch 1 and throughput at batches of 16, each for `seconds`, on noise."""
    start = time.perf_counter()
    live = open_engine(bundle, engine, live=True)
    images, products = noise(bundle, 1)
    live.predict(images, products)
    ready = time.perf_counter() - start
    times = latencies(live, bundle, seconds)
    del live
    rate = throughput(open_engine(bundle, engine), bundle, seconds)
    p50, p95, p99 = np.percentile(times, [50, 95, 99]) * 1e3
    return Speed(
        engine=engine,
        load_seconds=ready,
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        images_per_second=rate,
        memory_mb=resident_memory(),
    )


def resident_memory() -> float | None:
    """What this process holds in memory, in megabytes; None where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measures the engine that the command line names, for `measure_apart`, and prints JSON."""
    _, path, name, seconds = sys.argv
    print(json.dumps(asdict(measure(load(path), name, float(seconds)))))
