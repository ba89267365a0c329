"""How far one engine's answers are from another's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import RawPrediction
from mintad.engines.registry import Engine
from mintad.metrics import image_metrics

TOLERANCE = 1e-3
"""The largest `Deviation.map` and `.score` of float32 that counts as the same network."""


class Deviation(NamedTuple):
    """The largest differences over images, and the share of them with the same product.

    `map` is the largest difference of two maps over the largest value of the reference's,
    `score` the difference of two image scores over the reference's.
    """

    map: float
    score: float
    products: float

    @property
    def tolerable(self) -> bool:
        """Whether it is rounding alone; a tie between products is not a difference."""
        return max(self.map, self.score) <= TOLERANCE


def deviation(reference: RawPrediction, other: RawPrediction) -> Deviation:
    """The differences of `other` from `reference`, on the same images."""
    size = np.abs(reference.anomaly_map).max(axis=(1, 2))  # (B,)
    maps = np.abs(other.anomaly_map - reference.anomaly_map).max(axis=(1, 2))
    scores = np.abs(other.raw_score - reference.raw_score)
    same = 1.0
    if reference.product_logits is not None and other.product_logits is not None:
        chosen = (raw.product_logits.argmax(axis=1) for raw in (reference, other))  # type: ignore[union-attr]
        same = float(np.mean(np.equal(*chosen)))
    return Deviation(
        _largest_ratio(maps, size), _largest_ratio(scores, np.abs(reference.raw_score)), same
    )


def largest_deviation(parts: Iterable[Deviation], counts: Sequence[int] | None = None) -> Deviation:
    """Of several batches together; `counts` says how many images each has (None: equally many)."""
    maps, scores, products = zip(*parts, strict=True)
    return Deviation(max(maps), max(scores), float(np.average(products, weights=counts)))


def _largest_ratio(difference: NDArray[np.float32], size: NDArray[np.float32]) -> float:
    ratio = difference / np.maximum(size, np.finfo(np.float32).tiny)
    return float(np.nan_to_num(ratio, nan=np.inf).max())


def predict_all(
    engine: Engine, images: NDArray[np.uint8], products: NDArray[np.int64], batch_size: int
) -> RawPrediction:
    """What the engine says of prepared images `(N, h, w, 3)`, `batch_size` of them at a time."""
    parts = [
        engine.predict(images[i : i + batch_size], products[i : i + batch_size])
        for i in range(0, len(images), batch_size)
    ]
    return RawPrediction(
        *(
            None if columns[0] is None else np.concatenate(columns)
            for columns in zip(*parts, strict=True)
        )  # type: ignore[arg-type]
    )


def macro_auroc(
    scores: NDArray[np.floating], labels: NDArray[np.int64], products: Sequence[str]
) -> float | None:
    """The mean over products of the AUROC of raw image scores; None where none has both labels."""
    names = np.asarray(products)
    aurocs = [
        image_metrics(scores[rows], labels[rows])["i_auroc"]
        for rows in (names == product for product in np.unique(names))
        if len(np.unique(labels[rows])) == 2
    ]
    return float(np.mean(aurocs)) if aurocs else None
