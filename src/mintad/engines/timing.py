"""How long an engine takes, on noise: the pixels do not change its time."""

from __future__ import annotations

import time

import numpy as np

from mintad.bundle import Bundle
from mintad.engines.registry import Engine

BATCH_SIZE = 16


def latencies(engine: Engine, bundle: Bundle, seconds: float, fewest: int = 5) -> list[float]:
    """Seconds of each of as many single images as fit into `seconds`, at least `fewest`."""
    images, products = noise(bundle, 1)
    engine.predict(images, products)
    times: list[float] = []
    stop = time.perf_counter() + seconds
    while len(times) < fewest or time.perf_counter() < stop:
        start = time.perf_counter()
        engine.predict(images, products)
        times.append(time.perf_counter() - start)
    return times


def throughput(engine: Engine, bundle: Bundle, seconds: float, fewest: int = 2) -> float:
    """Images per second over as many batches as fit into `seconds`, at least `fewest`."""
    images, products = noise(bundle, BATCH_SIZE)
    engine.predict(images, products)
    batches = 0
    start = time.perf_counter()
    while batches < fewest or time.perf_counter() - start < seconds:
        engine.predict(images, products)
        batches += 1
    return batches * BATCH_SIZE / (time.perf_counter() - start)


def noise(bundle: Bundle, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Prepared images `uint8 (count, h, w, 3)` of noise, and a product for each, `int64`."""
    preprocessing = bundle.manifest.preprocessing
    shape = (count, preprocessing.height, preprocessing.width, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return images, np.arange(count, dtype=np.int64) % len(bundle.manifest.products)
