"""Whether all engines of a bundle say the same on given images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mintad.bundle import Bundle, RawPrediction
from mintad.data import Sample, load_batches
from mintad.engines.deviation import Deviation, deviation, macro_auroc
from mintad.engines.engine import LARGEST_LOSS, Engine
from mintad.system.progress import Progress

BATCH_SIZE = 8


@dataclass(frozen=True, slots=True)
class Parity:
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


@dataclass
class _Found:
    engine: Engine
    deviations: list[Deviation] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def take(self, reference: RawPrediction, raw: RawPrediction) -> None:
        self.deviations.append(deviation(reference, raw))
        self.scores += raw.raw_score.tolist()


def compare_engines(
    bundle: Bundle,
    samples: Sequence[Sample],
    engines: Mapping[str, Engine],
    reference: Engine,
    progress: Progress | None = None,
) -> list[Parity]:
    """Each of `engines` against `reference` on the samples, in one pass.

    Products are told where the method needs them. Raises `ImageError` for an image that cannot
    be decoded.
    """
    manifest = bundle.manifest
    base = _Found(reference)
    others = {name: _Found(engine) for name, engine in engines.items()}
    counts: list[int] = []
    batches = load_batches(
        samples, manifest.preprocessing, manifest.product_names, batch_size=BATCH_SIZE
    )
    for batch in batches:
        told = batch.products
        if not manifest.model.needs_product:
            told = np.full_like(told, -1)
        expected = base.engine.predict(batch.images, told)
        base.take(expected, expected)
        for found in others.values():
            found.take(expected, found.engine.predict(batch.images, told))
        counts.append(len(batch))
        if progress is not None:
            progress("images", sum(counts), len(samples))
    before = _auroc(base, samples)
    return [
        Parity(
            name,
            _worst(found.deviations, counts),
            after := _auroc(found, samples),
            None if after is None or before is None else after - before,
        )
        for name, found in others.items()
    ]


def _worst(found: Iterable[Deviation], counts: Sequence[int]) -> Deviation:
    maps, scores, products = zip(*found, strict=True)
    return Deviation(max(maps), max(scores), float(np.average(products, weights=counts)))


def _auroc(found: _Found, samples: Sequence[Sample]) -> float | None:
    rows = [row for row, sample in enumerate(samples) if sample.label is not None]
    labels = np.array([samples[row].label for row in rows], np.int64)
    scores = np.array(found.scores)[rows]
    return macro_auroc(scores, labels, [samples[row].product for row in rows])
