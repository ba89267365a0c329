"""Finds what is wrong with any row of a table before the first one is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from mintad.assembly import build_model
from mintad.backbones import Backbone, BackboneConfig, create_backbone
from mintad.data import Dataset, dataset_fingerprint
from mintad.errors import ConfigError, DataError, MissingExtraError, WeightsError
from mintad.models import model_config
from mintad.system import file_digest
from mintad.training import Recipe, count_products, load_recipe
from mintad_lab.experiment.cases import make_case
from mintad_lab.experiment.table import Table, slug


def check_table(table: Table, dataset: Dataset) -> dict[str, str]:
    """Why rows lack something on this machine, by name.

    Raises `ConfigError` for no row, two rows or cases of one folder, or a row that cannot be,
    which it names; `DataError` for images that will not do for a case.
    """
    _check_names([row.name for row in table.rows], "row")
    _check_names([case.name for case in table.cases], "case")
    for case in table.cases:
        if case.kind != "shifted":  # it writes images, and any will do
            make_case(case, dataset, 0, Path())
    checker = _Checker(dataset.train.products)
    reasons = {}
    for row in table.rows:
        if row.peer is not None:
            continue
        try:
            missing = checker.missing(load_recipe(row.recipe, row.settings(0)))
        except ConfigError as error:
            raise ConfigError(f"The row {row.name}: {error.problem}", error.mend) from None
        if missing is not None:
            reasons[row.name] = missing
    return reasons


def check_data(dataset: Dataset) -> str:
    """A fingerprint of every image and mask that takes part.

    Raises `DataError` for too few training images, no labelled test images, or a product that
    has only test images.
    """
    good = dataset.good
    count_products(good, dataset.train)
    test = dataset.test.where(lambda sample: sample.label is not None)
    strangers = sorted(set(test.products) - set(good.products))
    if strangers or not len(test):
        raise DataError(
            f"The products {', '.join(strangers)} have no training images."
            if strangers
            else "There are no labelled test images.",
            "Name folders that hold training and test images of each product, as in MVTec AD.",
        )
    samples = [*good, *test]
    masks = sorted(
        f"{sample.product} {file_digest(sample.mask)}"
        for sample in samples
        if sample.mask is not None and sample.mask.is_file()
    )
    lines = [dataset_fingerprint(samples), *masks]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class _Checker:
    """Checks recipes for the products of a data set; builds each backbone once."""

    def __init__(self, products: Sequence[str]) -> None:
        self.products = products
        self.backbones: dict[BackboneConfig, Backbone | str] = {}

    def missing(self, recipe: Recipe) -> str | None:
        """Why a recipe cannot run here; builds its model once to see that its switches agree."""
        model_config(recipe.model, recipe.switches)
        backbone = self._backbone(recipe.backbone)
        if isinstance(backbone, str):
            return backbone
        try:
            build_model(recipe, self.products, backbone=backbone)
        except (MissingExtraError, WeightsError) as error:
            return str(error)
        return None

    def _backbone(self, config: BackboneConfig) -> Backbone | str:
        if config not in self.backbones:
            try:
                self.backbones[config] = create_backbone(config)
            except WeightsError as error:
                self.backbones[config] = str(error)
        return self.backbones[config]


def _check_names(names: Sequence[str], what: str) -> None:
    folders = [slug(name) for name in names]
    twice = sorted({folder for folder in folders if folders.count(folder) > 1})
    if twice or not names:
        problem = f"Two {what}s are named {twice[0]}." if twice else f"There is no {what} to run."
        raise ConfigError(problem, f"Give each {what} a name of its own, and at least one.")
