"""A study from its name to its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mintad.data import Dataset
from mintad.system import Progress
from mintad_lab.studies.catalogue import find_study
from mintad_lab.studies.running import run_settings
from mintad_lab.studies.setting import Result, Row
from mintad_lab.studies.table import write_table


def run_study(
    name: str,
    dataset: Dataset,
    out: str | Path,
    *,
    recipe: str | Path = "study",
    overrides: Sequence[str] = (),
    rows: Sequence[str] = (),
    seeds: Sequence[int] = (0, 1, 2),
    cache: str | Path | None = None,
    keep_bundles: bool = False,
    progress: Progress | None = None,
    echo: Callable[[str], None] | None = None,
) -> Path:
    """Runs a study, all its rows or those named, and writes its table; the path of the table.

    Trainings go into `out/NAME`, the table beside it: `out/NAME.md`, `.csv`, `.json` and `.svg`,
    written anew after every training. `overrides` are "FIELD=VALUE" for every row or
    "ROW:FIELD=VALUE" for one. What is finished is not done again. Raises `ConfigError` for an
    unknown study or row, and whatever `run_settings` raises.
    """
    out = Path(out)
    study = find_study(name).override(recipe, overrides)
    if rows:
        study = study.choose(rows)

    def write(found: Sequence[Row]) -> Path:
        return write_table(found, out, name, title=study.question, paper=study.paper)

    def finished(found: Sequence[Row], result: Result) -> None:
        write(found)
        if echo is not None:
            echo(describe_result(result))

    return write(
        run_settings(
            study.settings,
            dataset,
            out / name,
            seeds=seeds,
            cache=cache,
            keep_bundles=keep_bundles,
            progress=progress,
            finished=finished,
        )
    )


def describe_result(result: Result) -> str:
    """A line for the terminal: row, seed, image AUROC, time."""
    macro, pooled = (result["evaluation"][part]["i_auroc"] for part in ("macro", "pooled"))
    numbers = ", ".join(
        f"{part} {'undefined' if value is None else f'{value:.3f}'}"
        for part, value in (("macro", macro), ("pooled", pooled))
    )
    seconds = result["seconds"]
    time = "interrupted once" if seconds is None else f"trained in {seconds:.0f} s"
    return f"{result['name']}, seed {result['seed']}: image AUROC {numbers}; {time}"
