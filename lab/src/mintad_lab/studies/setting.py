"""A row of a study: what is trained, and what came out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

Result = dict[str, Any]
"""What one training gave, as its JSON file holds it."""


@dataclass(frozen=True)
class Setting:
    """One row: a recipe with overrides, trained once per seed.

    `name` is the row's label and part of its folders' names. `overrides` are written as for
    `mintad train --set`: "FIELD=VALUE". With `separate` each product gets a model of its own.
    `published` maps metrics (`i_auroc`, `p_ap`) to what the paper gives for this row.
    """

    name: str
    overrides: tuple[str, ...] = ()
    recipe: str | Path = "study"
    separate: bool = False
    published: Mapping[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name as the beginning of its folders' names."""
        return slug(self.name)


class Spread(NamedTuple):
    """The mean over seeds and, for two seeds or more, the sample standard deviation."""

    mean: float
    deviation: float | None

    def text(self, digits: int = 3) -> str:
        """`0.951 ± 0.004`."""
        rounded = f"{self.mean:.{digits}f}"
        return rounded if self.deviation is None else f"{rounded} ± {self.deviation:.{digits}f}"


@dataclass(frozen=True)
class Row:
    """A setting with its results, one per seed that is done; `reason` says why it cannot run."""

    setting: Setting
    results: tuple[Result, ...] = ()
    reason: str | None = None

    def spread(self, metric: str, part: str = "macro") -> Spread | None:
        """A metric's spread over seeds; `part` is `macro` or `pooled`. None where undefined."""
        return spread_of([result["evaluation"][part][metric] for result in self.results])

    @property
    def accuracy(self) -> Spread | None:
        """The share of test images whose product was recognised; None where none was asked for."""
        found = [result["evaluation"]["config"] for result in self.results]
        if any(config["product_given"] for config in found):
            return None
        return spread_of([config["product_accuracy"] for config in found])

    @property
    def seconds(self) -> Spread | None:
        """Of a training with the features at hand, over those that were not interrupted."""
        found = [result["seconds"] for result in self.results]
        return spread_of([seconds for seconds in found if seconds is not None])

    @property
    def product_at_test(self) -> str:
        """What the model was told of the product of a test image, or knew by itself."""
        if not self.results:
            return ""
        if self.setting.separate:
            return "given: a model for each"
        config = self.results[0]["evaluation"]["config"]
        if config["product_given"]:
            return "given"
        return "none: raw scores" if config["product_accuracy"] is None else "recognised"


def slug(name: str) -> str:
    """`name` as part of a folder's name."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-")


def spread_of(values: list[float | None]) -> Spread | None:
    """The spread of the values; None where there are none or one of them is undefined."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Spread(mean(known), stdev(known) if len(known) > 1 else None)
