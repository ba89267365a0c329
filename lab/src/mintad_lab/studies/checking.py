"""Finds what is wrong with any row of a study before the first one is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mintad.backbones import Backbone, BackboneConfig, create_backbone
from mintad.backbones.text import embed_products
from mintad.data import Dataset, dataset_fingerprint
from mintad.errors import ConfigError, MissingExtraError, WeightsError
from mintad.metrics.evaluation import labelled_test
from mintad.models import create_model, model_class, model_config
from mintad.models.class_aware import TextPromptConfig
from mintad.system.files import file_digest
from mintad.training.recipe import Recipe, load_recipe
from mintad.training.run import count_products
from mintad.training.shape import input_shape
from mintad_lab.studies.setting import Setting


@dataclass(frozen=True)
class Plan:
    """A setting with its recipe; `reason` says what it lacks on this machine, if anything.

    `give_product` says how its model is measured.
    """

    setting: Setting
    recipe: Recipe
    give_product: bool
    reason: str | None = None


def all_overrides(setting: Setting) -> list[str]:
    """Those of the setting; and no graph is exported, for nothing would use it."""
    return [*setting.overrides, "export=false"]


class Checker:
    """Checks settings for the products of a data set; builds each backbone once."""

    def __init__(self, products: Sequence[str]) -> None:
        self.products = products
        self.backbones: dict[BackboneConfig, Backbone | str] = {}

    def plan(self, setting: Setting) -> Plan:
        """The plan of a setting.

        Raises `ConfigError`, naming the row, for a recipe or switches that cannot be.
        """
        try:
            recipe = load_recipe(setting.recipe, all_overrides(setting))
            reason = self._missing(recipe)
        except ConfigError as error:
            raise ConfigError(f"The row {setting.name}: {error.problem}", error.mend) from None
        needs_product = model_class(recipe.model).needs_product
        return Plan(
            setting,
            recipe,
            give_product=needs_product or setting.separate,
            reason=reason,
        )

    def _missing(self, recipe: Recipe) -> str | None:
        """Why a recipe cannot run here; builds its model once to see that its switches agree."""
        config = model_config(recipe.model, recipe.switches)
        backbone = self._backbone(recipe.backbone)
        if isinstance(backbone, str):
            return backbone
        texts = None
        if isinstance(config, TextPromptConfig):
            try:
                texts = embed_products(config.text_encoder, self.products, config.template)
            except (MissingExtraError, WeightsError) as error:
                return str(error)
        preprocessing = backbone.preprocessing(recipe.resize)
        text_channels = 0 if texts is None else texts.shape[1]
        shape = input_shape(backbone, preprocessing, len(self.products), text_channels)
        create_model(recipe.model, recipe.switches, shape)
        return None

    def _backbone(self, config: BackboneConfig) -> Backbone | str:
        if config not in self.backbones:
            try:
                self.backbones[config] = create_backbone(config)
            except WeightsError as error:
                self.backbones[config] = str(error)
        return self.backbones[config]


def check_names(settings: Sequence[Setting]) -> None:
    """Raises `ConfigError` for no row, or two rows of one folder."""
    names = [setting.folder for setting in settings]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        problem = f"Two rows are named {twice[0]}." if twice else "There is no row to run."
        raise ConfigError(problem, "Give each row a name of its own, and at least one row.")


def check_data(dataset: Dataset) -> str:
    """A fingerprint of every image and mask that takes part.

    Raises `DataError` for too few training images, no labelled test images, or a product that
    has only test images.
    """
    good = dataset.good
    counts = count_products(good, dataset.train)
    samples = [*good, *labelled_test(dataset, tuple(counts))]
    masks = sorted(
        f"{sample.product} {file_digest(sample.mask)}"
        for sample in samples
        if sample.mask is not None and sample.mask.is_file()
    )
    lines = [dataset_fingerprint(samples), *masks]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
