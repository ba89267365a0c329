"""Many inspections through one Inspector: memory must stay flat and a fixed image's score fixed.

    python benchmarks/soak.py [BUNDLE] [--count 100000] [--engine openvino]

Every hundredth input is damaged and must give an error; every fiftieth is the fixed image. Exits
with 1 where memory grew by more than 2% after the warm-up of a tenth, a fixed image's score
moved at all, or a damaged input gave no error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from _benchmark import open_bundle, options_of, write_results
from mintad.data import MemoryImage
from mintad.engines import resident_memory
from mintad.inspection import Inspector

FIXED, DAMAGED = 50, 100
ALLOWED_GROWTH = 0.02


def inputs(count: int) -> Iterator[MemoryImage]:
    """Noise of changing sizes, a fixed image and damaged files, by turns."""
    rng = np.random.default_rng(0)
    fixed = rng.integers(0, 256, (256, 256, 3), np.uint8)
    for number in range(count):
        if number % DAMAGED == 1:
            yield MemoryImage("damaged", b"\x89PNG\r\n\x1a\n" + bytes(number % 50))
        elif number % FIXED == 0:
            yield MemoryImage("fixed", fixed)
        else:
            size = rng.integers(64, 512, 2)
            yield MemoryImage("noise", rng.integers(0, 256, (*size, 3), np.uint8))


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--engine", default=None)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    bundle = open_bundle(options.bundle)
    inspector = Inspector(bundle, engine=options.engine)
    product = inspector.products[0] if bundle.manifest.model.needs_product else None
    scores: set[float | None] = set()
    unseen = 0
    memory: list[tuple[int, float]] = []
    start = time.perf_counter()
    every = max(1, options.count // 100)
    for number, result in enumerate(inspector(inputs(options.count), product), start=1):
        if result.name == "fixed":
            scores.add(result.raw_score)
        unseen += (result.name == "damaged") != (result.error is not None)
        if number % every == 0:
            memory.append((number, resident_memory() or float("nan")))
    rate = options.count / (time.perf_counter() - start)
    settled = [megabytes for number, megabytes in memory if number >= options.count / 10]
    third = max(1, len(settled) // 3)
    growth = float(np.median(settled[-third:]) / np.median(settled[:third]) - 1)
    content = {
        "inspections": options.count,
        "images_per_second": rate,
        "memory_mb": memory,
        "growth": growth,
        "scores_of_the_fixed_image": sorted(score for score in scores if score is not None),
        "wrong_errors": unseen,
    }
    text = (
        f"{options.count} inspections, {rate:.1f} per second; memory {settled[0]:.0f} to "
        f"{settled[-1]:.0f} MB, growth {growth:+.2%}; the fixed image had {len(scores)} score(s); "
        f"{unseen} wrong errors\n"
    )
    write_results("soak", content, text, options.out)
    sys.exit(not (growth <= ALLOWED_GROWTH and len(scores) == 1 and unseen == 0))


if __name__ == "__main__":
    main()
