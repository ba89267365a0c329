"""Finished runs, read back from their folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from mintad.metrics import METRICS
from mintad.system import read_json
from mintad_lab.experiment.bootstrap import Difference, paired_difference
from mintad_lab.experiment.table import slug

TABLE_FILE = "table.json"
RESULT_FILE = "result.json"

Result = dict[str, Any]


class Spread(NamedTuple):
    """The mean over seeds and, for two seeds or more, the sample standard deviation."""

    mean: float
    deviation: float | None

    def text(self, digits: int = 3) -> str:
        """`0.951 ± 0.004`."""
        rounded = f"{self.mean:.{digits}f}"
        return rounded if self.deviation is None else f"{rounded} ± {self.deviation:.{digits}f}"


def spread_of(values: list[float | None]) -> Spread | None:
    """The spread of the values; None where there are none or one of them is undefined."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Spread(mean(known), stdev(known) if len(known) > 1 else None)


@dataclass(frozen=True)
class Line:
    """A row under a case, with its finished runs in the order of their seeds.

    `reason` says why it could not be run, where no run is finished. `published` is what is
    printed elsewhere, by metric.
    """

    case: str
    row: dict[str, Any]
    results: tuple[Result, ...]
    reason: str | None
    published: Mapping[str, float]

    @property
    def name(self) -> str:
        """The row's name."""
        return str(self.row["name"])

    def spread(self, part: str, metric: str) -> Spread | None:
        """A metric over the seeds; `part` is "macro" or "pooled". None where undefined."""
        return spread_of([result["evaluation"][part][metric] for result in self.results])

    def figure(self, key: str) -> Spread | None:
        """`seconds`, `peak_megabytes` and the like over the seeds that have it."""
        return spread_of([result[key] for result in self.results if result.get(key) is not None])

    @property
    def accuracy(self) -> Spread | None:
        """The share of test images whose product was recognised; None where it was given."""
        configs = [result["evaluation"]["config"] for result in self.results]
        if any(config["product_given"] for config in configs):
            return None
        return spread_of([config["product_accuracy"] for config in configs])

    @property
    def product_at_test(self) -> str:
        """What the model was told of the product of a test image, or knew by itself."""
        if not self.results:
            return ""
        config = self.results[0]["evaluation"]["config"]
        if self.row["separate"]:
            return "given: a model for each"
        if config["product_given"]:
            return "given"
        return "none: raw scores" if config["scores"].startswith("raw") else "recognised"


@dataclass(frozen=True)
class Finished:
    """A table as its folder holds it: what it asks, and its lines, case by case."""

    about: dict[str, Any]
    lines: tuple[Line, ...]

    @property
    def results(self) -> list[Result]:
        """All finished runs."""
        return [result for line in self.lines for result in line.results]

    @property
    def published(self) -> list[str]:
        """The metrics that are printed elsewhere for any line."""
        return [
            metric for metric in METRICS if any(metric in line.published for line in self.lines)
        ]

    @property
    def has_cases(self) -> bool:
        """Whether there are several cases."""
        return len(self.about["cases"]) > 1

    def title(self, line: Line) -> str:
        """A line's row, and its case where there are several."""
        return f"{line.name}, {line.case}" if self.has_cases else line.name

    @cached_property
    def differences(self) -> tuple[Difference | None, ...]:
        """Of each line to the one that the table compares it with, over the seeds of both."""
        return tuple(self._difference(line) for line in self.lines)

    def _difference(self, line: Line) -> Difference | None:
        reference = self._reference(line)
        if reference is None:
            return None
        theirs = {result["seed"]: result["scores"] for result in reference.results}
        shared = [result for result in line.results if result["seed"] in theirs]
        return paired_difference(
            [result["scores"] for result in shared],
            [theirs[result["seed"]] for result in shared],
        )

    def _reference(self, line: Line) -> Line | None:
        case, name = line.case, line.name
        if self.about["against"] == "the first case":
            case = self.about["cases"][0]
        elif self.about["against"] == "the first row":
            name = self.about["rows"][0]["name"]
        elif not line.row["separate"]:
            name = f"{name.removesuffix(' unified')} separate"
        for other in self.lines:
            if (other.case, other.name) == (case, name) and other is not line:
                return other
        return None


def result_folder(place: Path, case: str, row: str, seed: int) -> Path:
    """Where a run of a table in `place` stands."""
    return place / slug(case) / f"{slug(row)}-{seed}"


def read_table(place: Path) -> Finished:
    """The table in `place`. Raises `ConfigError` for a damaged file."""
    about = read_json(place / TABLE_FILE)
    lines = []
    for case in about["cases"]:
        figures = about["published"].get(case, {})
        for row in about["rows"]:
            name = row["name"]
            pattern = f"{slug(name)}-*/{RESULT_FILE}"
            results = [read_json(file) for file in (place / slug(case)).glob(pattern)]
            results = [result for result in results if result["row"] == name]
            results.sort(key=lambda result: result["seed"])
            done = tuple(result for result in results if "not_run" not in result)
            reasons = [result["not_run"] for result in results if "not_run" in result]
            reason = None if done else row["missing"] or next(iter(reasons), "Not run yet.")
            published = figures.get(name, row["published"])
            lines.append(Line(case, row, done, reason, published))
    return Finished(about, tuple(lines))
