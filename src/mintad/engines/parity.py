"""Whether all engines of a bundle say the same on given images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mintad.bundle import Bundle, RawPrediction
from mintad.data import Dataset, Sample, load_batches
from mintad.engines.choice import LARGEST_LOSS, engine_names
from mintad.engines.deviation import Deviation, deviation, largest_deviation, macro_auroc
from mintad.engines.engine import open_engine, resolve_engine
from mintad.engines.registry import Engine, engine_spec
from mintad.engines.torch_engine import reference_engine
from mintad.errors import BundleError, DataError

BATCH_SIZE = 8
WITHOUT_TORCH = "openvino:float32"
"""What the others are compared with where torch is not installed."""


@dataclass(frozen=True, slots=True)
class EngineParity:
    """An engine against the reference: the largest deviations, and the AUROC of both.

    `auroc` is the macro AUROC of raw image scores, None where the images have no labels of both
    kinds.
    """

    engine: str
    deviation: Deviation
    auroc: float | None
    auroc_change: float | None

    @property
    def within(self) -> bool:
        """Float32 must be within rounding; a lower precision must not cost more AUROC than told.

        Without labels nothing can be said of a lower precision's AUROC, and its maps are judged
        by the products alone.
        """
        if self.engine.endswith(":float32"):
            return self.deviation.tolerable
        if self.auroc_change is None:
            return self.deviation.products >= 1 - 10 * LARGEST_LOSS
        return self.auroc_change >= -LARGEST_LOSS


@dataclass(frozen=True, slots=True)
class Parity:
    """Engines against the `reference`, on so many images."""

    reference: str
    images: int
    engines: tuple[EngineParity, ...]

    @property
    def within(self) -> bool:
        """Whether every engine is as near to the reference as it must be."""
        return all(engine.within for engine in self.engines)

    def to_json(self) -> dict[str, Any]:
        """What `mintad parity --json` writes."""
        rows = [
            asdict(engine) | {"deviation": engine.deviation._asdict(), "within": engine.within}
            for engine in self.engines
        ]
        return {"reference": self.reference, "images": self.images, "engines": rows}


def compare_engines(
    bundle: Bundle,
    dataset: Dataset,
    *,
    engines: Sequence[str] = (),
    most: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Parity:
    """Each of `engines` (none: all that run a graph here) against torch, in one pass over images.

    They are the test images of `dataset` that show products of the bundle, its training images
    where there are none for the test; with `most` so many of them, evenly chosen. The reference is
    the network in torch on the processor, or OpenVINO in float32 without torch. Products are told
    where the method needs them.

    Raises `BundleError` where there are no two engines, `DataError` without images, `ImageError`
    for one that cannot be decoded, and as `open_engine` does.
    """
    graphs = engine_names(bundle, graphs=True)
    with_torch = engine_spec("torch").installed
    reference = "torch" if with_torch else WITHOUT_TORCH
    names = [resolve_engine(bundle, name) for name in engines or graphs]
    names = [name for name in names if name not in (reference, f"{reference}:float32")]
    if not names or not (with_torch or reference in graphs):
        raise BundleError(
            f"The bundle {bundle.path} holds no two engines to compare on this machine.",
            "Add graphs to it with `mintad export`.",
        )
    samples = _samples(bundle, dataset, most)
    answers = {name: _Answers(open_engine(bundle, name)) for name in names}
    base = _Answers(reference_engine(bundle) if with_torch else open_engine(bundle, reference))
    counts: list[int] = []
    for batch in load_batches(
        samples,
        bundle.manifest.preprocessing,
        bundle.manifest.product_names,
        batch_size=BATCH_SIZE,
    ):
        products = batch.products
        if not bundle.manifest.model.needs_product:
            products = np.full_like(products, -1)
        expected = base.engine.predict(batch.images, products)
        base.take(expected, expected)
        for other in answers.values():
            other.take(expected, other.engine.predict(batch.images, products))
        counts.append(len(batch))
        if progress is not None:
            progress(sum(counts), len(samples))
    before = base.auroc(samples)
    rows = []
    for name, other in answers.items():
        after = other.auroc(samples)
        change = None if after is None or before is None else after - before
        worst = largest_deviation(other.deviations, counts)
        rows.append(EngineParity(name, worst, after, change))
    return Parity(reference, len(samples), tuple(rows))


@dataclass
class _Answers:
    """What an engine has said so far."""

    engine: Engine
    deviations: list[Deviation] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def take(self, reference: RawPrediction, raw: RawPrediction) -> None:
        self.deviations.append(deviation(reference, raw))
        self.scores += raw.raw_score.tolist()

    def auroc(self, samples: Sequence[Sample]) -> float | None:
        rows = [row for row, sample in enumerate(samples) if sample.label is not None]
        labels = np.array([samples[row].label for row in rows], np.int64)
        return macro_auroc(
            np.array(self.scores)[rows], labels, [samples[row].product for row in rows]
        )


def _samples(bundle: Bundle, dataset: Dataset, most: int | None) -> list[Sample]:
    known = bundle.manifest.product_names
    samples = [
        sample
        for sample in (dataset.test.samples or dataset.train.samples)
        if sample.product in known
    ]
    if not samples:
        raise DataError(
            "The data holds no image of any product that the bundle knows.",
            f"It knows: {', '.join(known)}.",
        )
    if most is not None and most < len(samples):
        samples = [samples[row] for row in np.linspace(0, len(samples) - 1, most).astype(int)]
    return samples
