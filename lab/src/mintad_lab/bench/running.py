"""Runs a table: every case, row and seed that is not finished, each in a process of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mintad.data import Dataset, dataset_fingerprint
from mintad.errors import ConfigError, DataError
from mintad.system.files import read_json, write_json
from mintad.system.provenance import git_state
from mintad.training.recipe import load_recipe
from mintad_lab.bench.cases import Case, make_case
from mintad_lab.bench.results import RESULT_FILE, TABLE_FILE, result_folder
from mintad_lab.bench.tables import TABLES, Method, Table
from mintad_lab.peers.process import run_process
from mintad_lab.studies.checking import Checker
from mintad_lab.studies.setting import Setting, slug

Echo = Callable[[str], None]


@dataclass(frozen=True)
class Means:
    """Where features are kept, which Python runs the peers, whether they may fetch weights, and
    whether what could not be run is tried again."""

    cache: Path | None = None
    peer_python: Path | None = None
    download: bool = False
    retry: bool = False


def run_table(
    table: Table,
    dataset: Dataset,
    out: Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    means: Means | None = None,
    echo: Echo = print,
) -> None:
    """Runs what is left of a table, seed by seed, into `out/NAME`; the book is made from there.

    A row that cannot be run leaves a result that says why. Before anything is trained, raises
    `ConfigError` for a recipe that cannot be, or a folder that holds another run, and `DataError`
    for images that will not do for a case.
    """
    means = means or Means()
    place = out / table.name
    reasons = _check(table, dataset)
    fingerprint = dataset_fingerprint(dataset)
    _remember(table, place)
    for seed in seeds:
        for case in table.cases:
            runs = [_Run(table, case, method, seed, place, fingerprint) for method in table.methods]
            left = [run for run in runs if not run.is_finished(means.retry)]
            if not left:
                continue
            images = make_case(case, dataset, seed, place / "images" / slug(case.name))
            for run in left:
                reason = reasons.get(run.method.name)
                outcome = {"not_run": reason} if reason else run.outcome(images, means)
                run.write(outcome)
                echo(_line(run, outcome))
            shutil.rmtree(place / "images", ignore_errors=True)
    shutil.rmtree(place / "trained", ignore_errors=True)


@dataclass(frozen=True)
class _Run:
    table: Table
    case: Case
    method: Method
    seed: int
    place: Path
    fingerprint: str

    @property
    def folder(self) -> Path:
        return result_folder(self.place, self.case.name, self.method.name, self.seed)

    @property
    def key(self) -> str:
        """Equal key, equal result."""
        method = self.method
        made: Any = asdict(method.peer) if method.peer else None
        if made is None:
            made = load_recipe(method.recipe, [*method.overrides, f"seed={self.seed}"])
            made = made.model_dump(mode="json")
        content = [made, method.separate, self.seed, asdict(self.case), self.fingerprint]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def is_finished(self, retry: bool) -> bool:
        file = self.folder / RESULT_FILE
        if not file.is_file():
            return False
        found = read_json(file)
        if found["key"] != self.key:
            raise ConfigError(
                f"{self.folder} holds a run of another recipe or of other images.",
                "Delete it, or name another --out.",
            )
        return not (retry and "not_run" in found)

    def outcome(self, images: Dataset, means: Means) -> dict[str, Any]:
        if self.method.peer is not None:
            job = {
                "peer": self.method.peer,
                "dataset": images,
                "separate": self.method.separate,
                "seed": self.seed,
                "download": means.download,
            }
            return run_process("mintad_lab.peers.worker", self.folder, job, means.peer_python)
        shared = self.table.shares_training
        name = f"{slug(self.method.name)}-{self.seed}"
        runs = self.place / "trained" / name if shared else self.folder / "run"
        job = {
            "method": self.method,
            "dataset": images,
            "runs": runs,
            "seed": self.seed,
            "cache": means.cache,
            "from_images": self.table.from_images,
        }
        outcome = run_process("mintad_lab.bench.ours", self.folder, job)
        if "not_run" not in outcome and not shared:
            shutil.rmtree(runs, ignore_errors=True)
        return outcome

    def write(self, outcome: dict[str, Any]) -> None:
        about = {
            "case": self.case.name,
            "row": self.method.name,
            "seed": self.seed,
            "key": self.key,
            "git": git_state(),
        }
        write_json(self.folder / RESULT_FILE, about | outcome)


def _check(table: Table, dataset: Dataset) -> dict[str, str]:
    """Why rows cannot run here, by name. Raises `ConfigError` for a recipe that cannot be."""
    if not dataset.train.products or not len(dataset.test):
        raise DataError(
            "A benchmark needs good training images and labelled test images.",
            "Name folders that hold both, as in MVTec AD.",
        )
    for case in table.cases:
        if case.kind != "shifted":  # it writes images, and any will do
            make_case(case, dataset, 0, Path())
    checker = Checker(dataset.train.products)
    reasons = {}
    for method in table.methods:
        if method.peer is None:
            setting = Setting(method.name, method.overrides, method.recipe, method.separate)
            reason = checker.plan(setting).reason
            if reason is not None:
                reasons[method.name] = reason
    return reasons


def _remember(table: Table, place: Path) -> None:
    """What the book needs to know of the table; rows and cases of earlier calls stay."""
    file = place / TABLE_FILE
    before = read_json(file) if file.is_file() else {"rows": [], "cases": []}
    whole = TABLES.get(table.name, table)
    rows: dict[str, dict[str, Any]] = {row["name"]: row for row in before["rows"]}
    for method in table.methods:
        rows[method.name] = {
            "name": method.name,
            "separate": method.separate,
            "peer": method.peer is not None,
            "recipe": None if method.peer else method.recipe,
            "departs": method.peer.departs if method.peer else _recipe_text(method),
        }
    known = [method.name for method in whole.methods]
    order = {name: place for place, name in enumerate([*known, *sorted(set(rows) - set(known))])}
    cases = {*before["cases"], *(case.name for case in table.cases)}
    content = {
        "name": table.name,
        "question": table.question,
        "against": table.against,
        "from_images": table.from_images,
        "note": table.note,
        "source": table.source,
        "paper": {case: dict(figures) for case, figures in table.paper.items()},
        "cases": [case.name for case in whole.cases if case.name in cases],
        "rows": sorted(rows.values(), key=lambda row: order[row["name"]]),
    }
    if not file.is_file() or read_json(file) != content:
        write_json(file, content)


def _line(run: _Run, outcome: dict[str, Any]) -> str:
    name = f"{run.table.name}, {run.case.name}, {run.method.name}, seed {run.seed}"
    if "not_run" in outcome:
        return f"{name}: not run. {outcome['not_run']}"
    macro, pooled = (outcome["evaluation"][part]["i_auroc"] for part in ("macro", "pooled"))
    texts = ["undefined" if value is None else f"{value:.3f}" for value in (macro, pooled)]
    return f"{name}: image AUROC macro {texts[0]}, pooled {texts[1]}"


def _recipe_text(method: Method) -> str:
    changed = f" with {', '.join(method.overrides)}" if method.overrides else ""
    return f"the recipe {method.recipe}{changed}"
