"""What goes into a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mintad.inspection.heatmap import Box
from mintad.metrics import MetricTable

ExampleKind = Literal["false alarm", "miss"]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One test image to show.

    `image` is `uint8 (H, W, 3)`, `mask` has the same height and width, `anomaly_map` is
    `float32 (h, w)`; `box` is where the image lies inside the map when it was padded.
    """

    product: str
    name: str
    kind: ExampleKind
    label: int
    defect_type: str | None
    score: float
    predicted_product: str | None
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None
    anomaly_map: NDArray[np.float32]
    box: Box | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """Everything a report shows; `config` is that of the evaluation, as JSON has it."""

    title: str
    metrics: MetricTable
    config: Mapping[str, Any]
    details: Mapping[str, str]
    examples: Sequence[Example]
    licences: Mapping[str, str] = field(default_factory=dict)


def pick_examples(
    products: Sequence[str],
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    count: int,
) -> list[tuple[ExampleKind, int]]:
    """The images worth showing: kind, and index into the three sequences of length N.

    Per product at most `count` of each kind, most telling first: false alarms are the good
    images with the highest scores, misses the defective ones with the lowest. Ties keep their
    order.
    """
    if not len(products) == len(scores) == len(labels):
        raise ValueError("products, scores and labels differ in length")
    names = np.asarray(products, dtype=object)
    scores, labels = np.asarray(scores), np.asarray(labels)
    picks: list[tuple[ExampleKind, int]] = []
    for product in sorted(set(products)):
        good = np.flatnonzero((names == product) & (labels == 0))
        defective = np.flatnonzero((names == product) & (labels == 1))
        alarms = good[np.argsort(-scores[good], kind="stable")]
        misses = defective[np.argsort(scores[defective], kind="stable")]
        picks += [("false alarm", int(index)) for index in alarms[:count]]
        picks += [("miss", int(index)) for index in misses[:count]]
    return picks
