"""Finished runs, read back from their folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mintad.system.files import read_json
from mintad_lab.studies.setting import Spread, slug, spread_of

TABLE_FILE = "table.json"
RESULT_FILE = "result.json"

Result = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A row under a case, with its finished runs in the order of their seeds.

    `reason` says why it could not be run, where no run is finished.
    """

    case: str
    row: dict[str, Any]
    results: tuple[Result, ...]
    reason: str | None

    @property
    def name(self) -> str:
        """The row's name."""
        return str(self.row["name"])

    def spread(self, part: str, metric: str) -> Spread | None:
        """A metric over the seeds; `part` is "macro" or "pooled". None where undefined."""
        return spread_of([result["evaluation"][part][metric] for result in self.results])

    def figure(self, key: str) -> Spread | None:
        """`seconds`, `peak_megabytes` and the like over the seeds that have it."""
        return spread_of([one[key] for one in self.results if one.get(key) is not None])

    @property
    def accuracy(self) -> Spread | None:
        """The share of test images whose product was recognised; None where it was not asked."""
        return spread_of([one["evaluation"]["config"]["product_accuracy"] for one in self.results])


@dataclass(frozen=True)
class Finished:
    """A table as its folder holds it: what it asks, and its lines, case by case."""

    about: dict[str, Any]
    lines: tuple[Line, ...]

    def line(self, case: str, name: str) -> Line | None:
        """The line of a case and a row, None where it is not there."""
        found = (line for line in self.lines if (line.case, line.name) == (case, name))
        return next(found, None)

    def reference(self, line: Line) -> Line | None:
        """The line that its paired difference is to; None for the reference itself."""
        against = self.about["against"]
        if against == "the first case":
            other = self.line(self.about["cases"][0], line.name)
        elif against == "the first row":
            other = self.line(line.case, self.about["rows"][0]["name"])
        elif line.row["separate"]:
            other = None
        else:
            other = self.line(line.case, f"{line.name} separate")
        return None if other is line else other


def result_folder(place: Path, case: str, row: str, seed: int) -> Path:
    """Where a run of a table in `place` stands."""
    return place / slug(case) / f"{slug(row)}-{seed}"


def read_table(place: Path) -> Finished:
    """The table in `place`. Raises `ConfigError` for a damaged file."""
    about = read_json(place / TABLE_FILE)
    lines = []
    for case in about["cases"]:
        for row in about["rows"]:
            pattern = f"{slug(row['name'])}-*/{RESULT_FILE}"
            found = [read_json(file) for file in (place / slug(case)).glob(pattern)]
            mine = sorted(
                (one for one in found if one["row"] == row["name"]), key=lambda one: one["seed"]
            )
            reasons = [one["not_run"] for one in mine if "not_run" in one]
            done = tuple(one for one in mine if "not_run" not in one)
            reason = None if done else reasons[0] if reasons else "Not run yet."
            lines.append(Line(case, row, done, reason))
    return Finished(about, tuple(lines))
