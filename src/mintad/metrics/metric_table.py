"""The metrics per product, their mean over products, and over all products at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mintad.metrics.registry import METRICS

ScoresAndLabels = tuple[NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class ProductMetrics:
    """The metrics of one product, or of all pooled.

    `values` holds every one of `METRICS`, None where it is undefined; `undefined` says why.
    Raises `ValueError` where it does not.
    """

    values: Mapping[str, float | None]
    undefined: Mapping[str, str]
    n_good: int
    n_defect: int

    def __post_init__(self) -> None:
        missing = {metric for metric in METRICS if self.values[metric] is None}
        if missing != set(self.undefined):
            raise ValueError(f"Reasons for {set(self.undefined)}, but {missing} have no value.")

    def to_json(self) -> dict[str, Any]:
        """The metrics and counts as plain numbers; `undefined` only where there is any."""
        row = {**self.values, "n_good": self.n_good, "n_defect": self.n_defect}
        return row | ({"undefined": dict(self.undefined)} if self.undefined else {})

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> ProductMetrics:
        """The inverse of `to_json`."""
        values = {metric: row[metric] for metric in METRICS}
        return cls(values, row.get("undefined", {}), row["n_good"], row["n_defect"])


@dataclass(frozen=True, slots=True)
class MetricTable:
    """The metrics of every product; `scores` holds their image scores and labels `(N,)`."""

    products: Mapping[str, ProductMetrics]
    pooled: ProductMetrics
    scores: Mapping[str, ScoresAndLabels] = field(default_factory=dict, repr=False)

    def defined(self, metric: str) -> list[float]:
        """The values of a metric over the products that have it."""
        values = (row.values[metric] for row in self.products.values())
        return [value for value in values if value is not None]

    @property
    def macro(self) -> dict[str, float | None]:
        """The mean of each metric over the products that have it, None where none has."""
        defined = {metric: self.defined(metric) for metric in METRICS}
        return {
            metric: float(np.mean(values)) if values else None for metric, values in defined.items()
        }

    @property
    def macro_undefined(self) -> dict[str, str]:
        """Why a mean is None: the reasons of the products, each once."""
        rows = self.products.values()
        return {
            metric: "; ".join(dict.fromkeys(row.undefined[metric] for row in rows)) or "no products"
            for metric, value in self.macro.items()
            if value is None
        }

    def to_json(self) -> dict[str, Any]:
        """Plain numbers under `products`, `macro` and `pooled`.

        Where a metric is undefined for some products, `macro["n_products"]` says over how many
        products its mean is; where for all, `macro["undefined"]` says why.
        """
        counts = {metric: len(self.defined(metric)) for metric in METRICS}
        fewer = {name: count for name, count in counts.items() if count != len(self.products)}
        undefined = self.macro_undefined
        return {
            "products": {name: row.to_json() for name, row in self.products.items()},
            "macro": self.macro
            | ({"n_products": fewer} if fewer else {})
            | ({"undefined": undefined} if undefined else {}),
            "pooled": self.pooled.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> MetricTable:
        """The inverse of `to_json`, without the image scores."""
        rows = {name: ProductMetrics.from_json(row) for name, row in content["products"].items()}
        return cls(rows, ProductMetrics.from_json(content["pooled"]))
