"""The seven metrics per product, their mean over products, and over all products at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mintad.metrics import curves
from mintad.metrics.pixels import CAPACITY, PixelAccumulator

IMAGE_METRICS = ("i_auroc", "i_ap", "i_f1max")
PIXEL_METRICS = ("p_auroc", "p_ap", "p_f1max", "aupro")
METRICS = IMAGE_METRICS + PIXEL_METRICS

ScoresAndLabels = tuple[NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Row:
    """The metrics of one product, or of all pooled.

    `values` holds every one of `METRICS`, None where it is undefined; `undefined` says why.
    """

    values: Mapping[str, float | None]
    undefined: Mapping[str, str]
    n_good: int
    n_defect: int

    def to_json(self) -> dict[str, Any]:
        """The metrics and counts as plain numbers; `undefined` only where there is any."""
        row = {**self.values, "n_good": self.n_good, "n_defect": self.n_defect}
        return row | ({"undefined": dict(self.undefined)} if self.undefined else {})

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Row:
        """The inverse of `to_json`."""
        values = {metric: row[metric] for metric in METRICS}
        return cls(values, row.get("undefined", {}), row["n_good"], row["n_defect"])


@dataclass(frozen=True, slots=True)
class MetricTable:
    """What an evaluation found; `scores` holds each product's image scores and labels `(N,)`."""

    products: Mapping[str, Row]
    pooled: Row
    scores: Mapping[str, ScoresAndLabels] = field(default_factory=dict)

    def defined(self, metric: str) -> list[float]:
        """The values of a metric over the products that have it."""
        values = (row.values[metric] for row in self.products.values())
        return [value for value in values if value is not None]

    @property
    def macro(self) -> dict[str, float | None]:
        """The mean of each metric over the products that have it, None where none has."""
        means = {metric: self.defined(metric) for metric in METRICS}
        return {name: float(np.mean(found)) if found else None for name, found in means.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain numbers under `products`, `macro` and `pooled`.

        Where a metric is undefined for some products, `macro["n_products"]` says over how many
        products its mean is.
        """
        counts = {metric: len(self.defined(metric)) for metric in METRICS}
        fewer = {name: count for name, count in counts.items() if count != len(self.products)}
        return {
            "products": {name: row.to_json() for name, row in self.products.items()},
            "macro": self.macro | ({"n_products": fewer} if fewer else {}),
            "pooled": self.pooled.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> MetricTable:
        """The inverse of `to_json`, without the image scores."""
        rows = {name: Row.from_json(row) for name, row in content["products"].items()}
        return cls(rows, Row.from_json(content["pooled"]))


class StreamingMetrics:
    """Gathers image scores and anomaly maps of many products, in any order.

    Pixels take about 8 MB per product however many maps there are; image scores are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._products: dict[str, _Product] = {}

    def update(
        self,
        product: str,
        *,
        score: float,
        label: int,
        anomaly_map: NDArray[np.float32] | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add an image: its score, its label (0 good, 1 defective), its map and mask `(H, W)`.

        The pixels of a good image are all good. A defective image without a mask is left out of
        the pixel metrics. Raises `ValueError`, naming the product, where a value is not finite or
        the arguments contradict each other, and adds nothing.
        """
        known = self._products.get(product)
        state = known or _Product(PixelAccumulator(self._capacity))
        try:
            state.add(float(score), label, anomaly_map, mask)
        except ValueError as error:
            raise ValueError(f"Product {product!r}: {error}") from error
        self._products.setdefault(product, state)

    def result(self) -> MetricTable:
        """The metrics so far, products sorted by name."""
        products = dict(sorted(self._products.items()))
        everything = _Product(PixelAccumulator(self._capacity))
        for state in products.values():
            everything.scores += state.scores
            everything.labels += state.labels
            everything.maps += state.maps
            everything.masks += state.masks
            if state.masks:
                everything.pixels.merge(state.pixels)
        rows = {name: state.row() for name, state in products.items()}
        scores = {name: state.scores_and_labels() for name, state in products.items()}
        return MetricTable(rows, everything.row(), scores)


@dataclass(slots=True)
class _Product:
    """What has been gathered of one product; `masks` counts defective images with a mask."""

    pixels: PixelAccumulator
    scores: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    maps: int = 0
    masks: int = 0

    def add(
        self,
        score: float,
        label: int,
        anomaly_map: NDArray[np.float32] | None,
        mask: NDArray[np.bool_] | None,
    ) -> None:
        if label not in (0, 1):
            raise ValueError(f"A label must be 0 or 1, not {label!r}.")
        if not np.isfinite(score):
            raise ValueError(f"The image score is {score}.")
        if label == 0 and mask is not None and mask.any():
            raise ValueError("A good image has a mask with defective pixels.")
        if anomaly_map is not None:
            if mask is None and label == 0:
                mask = np.zeros(anomaly_map.shape, dtype=bool)
            if mask is not None:
                self.pixels.update(anomaly_map, mask)
                self.masks += label
            elif not np.isfinite(anomaly_map).all():
                raise ValueError("The anomaly map holds NaN or infinity.")
            self.maps += 1
        self.scores.append(score)
        self.labels.append(int(label))

    def scores_and_labels(self) -> ScoresAndLabels:
        return np.asarray(self.scores, dtype=np.float64), np.asarray(self.labels, dtype=np.int64)

    def row(self) -> Row:
        n_defect = sum(self.labels)
        n_good = len(self.labels) - n_defect
        image_reason, pixel_reason = self._reasons(n_good, n_defect)
        values: dict[str, float | None] = dict.fromkeys(METRICS)
        undefined: dict[str, str] = {}
        if image_reason:
            undefined |= dict.fromkeys(IMAGE_METRICS, image_reason)
        else:
            image = curves.image_metrics(*self.scores_and_labels())
            values |= {"i_auroc": image.auroc, "i_ap": image.ap, "i_f1max": image.f1max}
        if pixel_reason:
            undefined |= dict.fromkeys(PIXEL_METRICS, pixel_reason)
        else:
            pixel = self.pixels.compute()
            values |= {"p_auroc": pixel.auroc, "p_ap": pixel.ap, "p_f1max": pixel.f1max}
            values |= {"aupro": pixel.aupro}
        return Row(values, undefined, n_good, n_defect)

    def _reasons(self, n_good: int, n_defect: int) -> tuple[str | None, str | None]:
        """Why the image metrics and the pixel metrics are undefined, or None."""
        missing = None if n_defect else "no defective images"
        image = missing if n_good else "no good images" if n_defect else "no images"
        if missing:
            return image, missing
        if not self.maps:
            return image, "no anomaly maps"
        return image, self.pixels.undefined if self.masks else "no masks"


def format_table(evaluation: MetricTable) -> list[list[str]]:
    """Rows of cells: a heading, each product, macro, pooled; "-" where a metric is undefined.

    A macro mean over fewer than all products says so: "0.9120 (4 of 5)".
    """
    total = len(evaluation.products)
    rows = [["product", *METRICS, "n_good", "n_defect"]]
    for name, row in [*evaluation.products.items(), ("pooled", evaluation.pooled)]:
        cells = [_cell(row.values[metric]) for metric in METRICS]
        rows.append([name, *cells, str(row.n_good), str(row.n_defect)])
    macro = ["macro"]
    for metric, value in evaluation.macro.items():
        count = len(evaluation.defined(metric))
        macro.append(_cell(value) + (f" ({count} of {total})" if 0 < count < total else ""))
    rows.insert(-1, [*macro, *rows[-1][-2:]])
    return rows


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
