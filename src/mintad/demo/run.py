"""The demo from the first image to the report."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mintad.api import train
from mintad.data import Dataset, dataset_fingerprint, read
from mintad.demo import Source, make_demo_data
from mintad.errors import ConfigError, MissingExtraError
from mintad.reporting.terminal import evaluation_text
from mintad.system.files import write_json

if TYPE_CHECKING:
    from mintad.bundle import Bundle
    from mintad.metrics import Evaluation
    from mintad.system.progress import Progress


def run_demo(
    out: Path,
    *,
    recipe: str | Path = "fast",
    progress: Progress | None = None,
    echo: Callable[[str], None] = print,
) -> Evaluation:
    """Makes the five products, trains one model on them, measures it once, and tells it all.

    Writes `data`, `run`, `metrics.json` and `report.html` into `out`. A run that is there
    already, of the same recipe and images, is used as it is, or gone on with where it was
    stopped. Raises `ConfigError` where it is another run.
    """
    from mintad.reporting.making import make_report

    start = time.perf_counter()
    sources = make_demo_data(out / "data")
    for source in sources:
        echo(describe_source(source))
    echo(describe_defects(sources))

    dataset = read(out / "data")
    bundle = _bundle(dataset, out / "run", recipe, progress, echo)
    report = out / "report.html"
    needs_product = bundle.manifest.model.needs_product
    result = make_report(bundle, dataset, report, give_product=needs_product, progress=progress)
    write_json(out / "metrics.json", result.to_json())
    echo(evaluation_text(result.metrics))
    echo(f"Open this report in a browser: {report.absolute()}")
    echo(f"numbers: {out / 'metrics.json'}")
    echo(f"time: {time.perf_counter() - start:.0f} s")
    return result


def describe_source(source: Source) -> str:
    """Some lines for the terminal: a product, its licence, what it is and where it is from."""
    lines = [*textwrap.wrap(source.what, 76), source.url]
    return "\n".join([f"{source.name}: {source.licence}", *(f"    {line}" for line in lines)])


def describe_defects(sources: list[Source]) -> str:
    """Which defects are real and which are painted."""
    real = ", ".join(source.name for source in sources if source.defects == "real")
    painted = ", ".join(source.name for source in sources if source.defects == "painted")
    return textwrap.fill(
        f"The defects of {real} are real and labelled per image, without masks, so these products "
        f"have no pixel metrics. The defects of {painted} are painted by mintad: they show that "
        "everything works, and little of how well real defects are found.",
        80,
    )


def _bundle(
    dataset: Dataset,
    run: Path,
    recipe: str | Path,
    progress: Progress | None,
    echo: Callable[[str], None],
) -> Bundle:
    try:
        from mintad.training.recipe import load_recipe
        from mintad.training.run_file import read_run_file
    except ModuleNotFoundError as error:
        raise MissingExtraError("Training", "train") from error

    begun = read_run_file(run)
    if begun is not None:
        good = dataset.good
        if begun != (load_recipe(recipe), dataset_fingerprint(good)):
            raise ConfigError(
                f"{run} holds a run of another recipe or of other images.",
                f"Delete {run}, or name another folder with --out.",
            )
        finished = (run / "bundle" / "manifest.json").is_file()
        echo(
            f"Using the run that is in {run}; delete it to train anew."
            if finished
            else f"Going on with the run in {run}."
        )
    return train(dataset, run, recipe=recipe, resume=begun is not None, progress=progress)
