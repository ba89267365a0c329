"""Finds what is wrong with any row of a table before the first one is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mintad.assembly import build_model
from mintad.backbones import create_backbone
from mintad.data import Dataset, dataset_fingerprint
from mintad.errors import ConfigError, MissingExtraError, WeightsError
from mintad.metrics import labelled_test
from mintad.models import model_config
from mintad.system import file_digest
from mintad.training import count_products, load_recipe
from mintad_lab.experiment.cases import make_case
from mintad_lab.experiment.table import Table, slug


def check_table(table: Table, dataset: Dataset) -> dict[str, str]:
    """What rows lack on this machine, by name; builds each model once to see that it can be.

    Raises `ConfigError` for no row, two rows or cases of one folder, or a row that cannot be,
    which it names; `DataError` for images that will not do for a case.
    """
    _check_names([row.name for row in table.rows], "row")
    _check_names([case.name for case in table.cases], "case")
    for case in table.cases:
        if case.kind != "shifted":  # it writes images, and any will do
            make_case(case, dataset, 0, Path())
    backbone = cache(create_backbone)
    reasons = {}
    for row in table.rows:
        if row.peer is not None:
            continue
        try:
            recipe = load_recipe(row.recipe, row.settings(0))
            model_config(recipe.model, recipe.switches)
            build_model(recipe, dataset.train.products, backbone=backbone(recipe.backbone))
        except (MissingExtraError, WeightsError) as error:
            reasons[row.name] = str(error)
        except ConfigError as error:
            raise ConfigError(f"The row {row.name}: {error.problem}", error.mend) from None
    return reasons


def check_data(dataset: Dataset) -> str:
    """A fingerprint of every image and mask that takes part.

    Raises `DataError` for too few training images, no labelled test images, or a product that
    has only test images.
    """
    counts = count_products(dataset.good, dataset.train)
    samples = [*dataset.good, *labelled_test(dataset, tuple(counts))]
    masks = sorted(
        f"{sample.product} {file_digest(sample.mask)}"
        for sample in samples
        if sample.mask is not None and sample.mask.is_file()
    )
    lines = [dataset_fingerprint(samples), *masks]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _check_names(names: Sequence[str], what: str) -> None:
    folders = [slug(name) for name in names]
    twice = sorted({folder for folder in folders if folders.count(folder) > 1})
    if twice or not names:
        problem = f"Two {what}s are named {twice[0]}." if twice else f"There is no {what} to run."
        raise ConfigError(problem, f"Give each {what} a name of its own, and at least one.")
