"""What goes into a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mintad.inspection.heatmap import Box

Kind = Literal["false alarm", "miss", "defect found", "good"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One test image to show.

    `image` is `uint8 (H, W, 3)`, `mask` has the same height and width, `anomaly_map` is
    `float32 (h, w)`; `box` is where the image lies inside the map when it was padded.
    """

    product: str
    name: str
    kind: Kind
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
    """Everything a report shows.

    `evaluation` is what `mintad evaluate --json` writes. `scores` has, per product, the image
    scores `(N,)` and their labels `(N,)`, 0 good and 1 defective. `scale` has, per product, the
    scores at which the heatmap's colours begin and end. `thresholds` are drawn into the plots
    of the products that have one. Raises ValueError where these do not fit together.
    """

    title: str
    evaluation: Mapping[str, Any]
    details: Mapping[str, str]
    scores: Mapping[str, tuple[NDArray[np.floating], NDArray[np.integer]]]
    examples: Sequence[Example]
    scale: Mapping[str, tuple[float, float]]
    licences: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for product, (scores, labels) in self.scores.items():
            if np.shape(scores) != np.shape(labels) or np.ndim(scores) != 1:
                raise ValueError(f"scores and labels of {product} differ in length")
            if not np.isfinite(scores).all():
                raise ValueError(f"a score of {product} is not a finite number")
        for example in self.examples:
            if example.product not in self.scale:
                raise ValueError(f"no heatmap scale for {example.product}")


def pick_examples(
    products: Sequence[str],
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    count: int,
) -> dict[str, dict[Kind, list[int]]]:
    """The images worth showing, as indices into the three sequences of length N.

    Per product at most `count` of each kind, most telling first: false alarms are the good
    images with the highest scores, misses the defective ones with the lowest; defects found
    and good are the other ends, of images that are not among the former. Ties keep their order.
    """
    if not len(products) == len(scores) == len(labels):
        raise ValueError("products, scores and labels differ in length")
    names = np.asarray(products, dtype=object)
    scores, labels = np.asarray(scores), np.asarray(labels)
    picks: dict[str, dict[Kind, list[int]]] = {}
    for product in sorted(set(products)):
        good = np.flatnonzero((names == product) & (labels == 0))
        defective = np.flatnonzero((names == product) & (labels == 1))
        alarms = good[np.argsort(-scores[good], kind="stable")]
        misses = defective[np.argsort(scores[defective], kind="stable")]
        picks[product] = {
            "false alarm": alarms[:count].tolist(),
            "miss": misses[:count].tolist(),
            "defect found": misses[count:][::-1][:count].tolist(),
            "good": alarms[count:][::-1][:count].tolist(),
        }
    return picks
