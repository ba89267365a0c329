"""Runs a table: every row, case and seed that is not finished, each in a process of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from mintad.data import Dataset
from mintad.errors import ConfigError
from mintad.system import git_state, read_json, write_json
from mintad.training import load_recipe
from mintad_lab.experiment.book import write_table
from mintad_lab.experiment.cases import make_case
from mintad_lab.experiment.checking import check_data, check_table
from mintad_lab.experiment.measuring import drop_bundles
from mintad_lab.experiment.process import Job, Outcome, run_process
from mintad_lab.experiment.results import RESULT_FILE, TABLE_FILE, result_folder
from mintad_lab.experiment.table import Case, Row, Table, slug

TRAINED = "trained"
"""The folder of trainings that several cases share."""

Echo = Callable[[str], None]


@dataclass(frozen=True)
class Means:
    """How runs are made: where features are kept (None: the user's cache folder), which Python
    runs the peers, whether they may fetch weights, whether what failed is tried again, and
    whether bundles are kept once they are measured."""

    cache: Path | None = None
    peer_python: Path | None = None
    download: bool = False
    retry: bool = False
    keep_bundles: bool = False


def run_table(
    table: Table,
    dataset: Dataset,
    out: str | Path,
    *,
    rows: Sequence[str] = (),
    cases: Sequence[str] = (),
    seeds: Sequence[int] = (0, 1, 2),
    means: Means | None = None,
    echo: Echo = print,
) -> Path:
    """Runs what is left of a table, or of the `rows` and `cases` named, seed by seed; its page.

    Runs go into `out/NAME`, the pages beside it; they are written anew after every run. What is
    finished is not done again, a training that was stopped goes on. A row that cannot be run says
    why. Before anything is trained, raises `ConfigError` for a row or case that cannot be, or a
    folder that holds another run, and `DataError` for images that will not do.
    """
    means = means or Means()
    place = Path(out) / table.name
    chosen = table.select(rows, cases)
    fingerprint = check_data(dataset)
    reasons = check_table(chosen, dataset)
    runs = [
        _Run(chosen, row, case, seed, place, fingerprint)
        for seed in seeds
        for case in chosen.cases
        for row in chosen.rows
        if row.name not in reasons
    ]
    left = [run for run in runs if not run.is_finished(means.retry)]
    _remember(table, chosen, reasons, place)
    for name, reason in reasons.items():
        echo(f"{name} was not run. {reason}")
    for (seed, case), together in groupby(left, key=lambda run: (run.seed, run.case)):
        images = make_case(case, dataset, seed, place / "images" / slug(case.name))
        for run in together:
            echo(run.do(images, means))
            write_table(place)
        shutil.rmtree(place / "images", ignore_errors=True)
    if not means.keep_bundles:
        drop_bundles(place / TRAINED)
    return write_table(place)


@dataclass(frozen=True)
class _Run:
    """A row under a case with a seed, in its folder."""

    table: Table
    row: Row
    case: Case
    seed: int
    place: Path
    fingerprint: str

    @property
    def folder(self) -> Path:
        return result_folder(self.place, self.case.name, self.row.name, self.seed)

    @property
    def key(self) -> str:
        """A digest of recipe, seed, case and images: equal key, equal result."""
        row, case = self.row, self.case
        made: Any = asdict(row.peer) if row.peer else None
        if made is None:
            made = load_recipe(row.recipe, row.settings(self.seed)).model_dump(mode="json")
        condition = [case.name, case.kind, case.amount]
        content = [made, row.separate, self.seed, condition, self.fingerprint]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def is_finished(self, retry: bool) -> bool:
        """Raises `ConfigError` where the folder holds another run."""
        file = self.folder / RESULT_FILE
        if not file.is_file():
            return False
        result = read_json(file)
        failed = "not_run" in result
        if result["key"] == self.key:
            return not (failed and retry)
        if failed:
            return False
        raise ConfigError(
            f"{self.folder} holds a run of another recipe or of other images.",
            "Delete it, or name another --out.",
        )

    def do(self, images: Dataset, means: Means) -> str:
        """Runs it and writes its result; a line that says what came out."""
        row, table = self.row, self.table
        runs = self.folder / "run"
        if table.shares_training:
            runs = self.place / TRAINED / f"{slug(row.name)}-{self.seed}"
        job = Job(row, images, self.seed, runs, means.cache, table.from_images, means.download)
        python = None if row.peer is None else means.peer_python
        outcome = run_process(self.folder, job, python)
        about = {
            "case": self.case.name,
            "row": row.name,
            "seed": self.seed,
            "key": self.key,
            "git": git_state(),
        }
        write_json(self.folder / RESULT_FILE, about | outcome)
        if not (means.keep_bundles or table.shares_training or "not_run" in outcome):
            drop_bundles(self.folder)
        return f"{table.name}, {self.case.name}, {row.name}, seed {self.seed}: {_news(outcome)}"


def _news(outcome: Outcome) -> str:
    if "not_run" in outcome:
        return f"not run. {outcome['not_run']}"
    macro, pooled = (outcome["evaluation"][part]["i_auroc"] for part in ("macro", "pooled"))
    texts = ["undefined" if value is None else f"{value:.3f}" for value in (macro, pooled)]
    seconds = outcome["seconds"]
    time = "interrupted once" if seconds is None else f"trained in {seconds:.0f} s"
    return f"image AUROC macro {texts[0]}, pooled {texts[1]}; {time}"


def _remember(table: Table, chosen: Table, reasons: dict[str, str], place: Path) -> None:
    """What the pages need to know of the table; rows and cases of earlier calls stay."""
    file = place / TABLE_FILE
    before = read_json(file) if file.is_file() else {"rows": [], "cases": []}
    rows = {row["name"]: row for row in before["rows"]} | {
        row.name: {
            "name": row.name,
            "separate": row.separate,
            "description": _describe(row),
            "published": dict(row.published),
            "missing": reasons.get(row.name),
        }
        for row in chosen.rows
    }
    cases = {*before["cases"], *(case.name for case in chosen.cases)}
    write_json(
        file,
        {
            "name": table.name,
            "question": table.question,
            "against": table.against,
            "from_images": table.from_images,
            "note": table.note,
            "source": table.source,
            "published": {case.name: case.published for case in table.cases if case.published},
            "cases": [case.name for case in table.cases if case.name in cases],
            "rows": [rows[row.name] for row in table.rows if row.name in rows],
        },
    )


def _describe(row: Row) -> str:
    """The recipe of a row of ours, or how a peer departs from its paper."""
    if row.peer is not None:
        return row.peer.description
    recipe = load_recipe(row.recipe, row.overrides)
    changed = f" with {', '.join(row.overrides)}" if row.overrides else ""
    steps = f"{recipe.training.epochs} epochs, {recipe.backbone.name}"
    return f"the recipe {row.recipe} ({steps}){changed}"
