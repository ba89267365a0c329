"""The studies as data: every row makes a recipe, and the paper's figures are the paper's."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from mintad.errors import ConfigError
from mintad.models import model_config
from mintad.training.recipe import load_recipe
from mintad_lab.studies.catalogue import find_study, list_studies, published_figures


@pytest.mark.parametrize("name", list_studies())
def test_every_row_is_a_recipe_whose_switches_its_method_takes(name: str) -> None:
    study = find_study(name)
    for setting in study.settings:
        recipe = load_recipe(setting.recipe, setting.overrides)
        model_config(recipe.model, recipe.switches)


@pytest.mark.parametrize("name", list_studies())
def test_rows_differ_in_what_they_set_and_share_the_budget(name: str) -> None:
    settings = find_study(name).settings
    recipes = [load_recipe(one.recipe, one.overrides) for one in settings]
    assert len({(one.overrides, one.separate) for one in settings}) == len(settings)
    assert len({one.folder for one in settings}) == len(settings)
    assert len({recipe.training for recipe in recipes}) == 1
    assert {recipe.resize for recipe in recipes} == {"stretch"}


@pytest.mark.parametrize("name", list_studies())
def test_published_figures_belong_to_rows_and_say_what_they_were_measured_on(name: str) -> None:
    published = published_figures()[name]
    assert published["table"].startswith(("Table ", "SNL"))
    assert published["measured_on"]
    rows = {setting.name for setting in find_study(name).settings}
    assert set(published["rows"]) <= rows
    assert all(0.4 < figure["i_auroc"] < 1 for figure in published["rows"].values())


def test_the_components_are_switched_off_one_by_one() -> None:
    parts = ("adaptor", "classification", "class_query", "prior")
    found = {}
    for setting in find_study("components").settings:
        recipe = load_recipe(setting.recipe, setting.overrides)
        config = model_config(recipe.model, recipe.switches)
        found[setting.name] = tuple(getattr(config, part) for part in parts)
    assert found == {
        "none": (False, False, False, False),
        "adaptor": (True, False, False, False),
        "adaptor + classification": (True, True, False, False),
        "adaptor + classification + query": (True, True, True, False),
        "adaptor + classification + prior": (True, True, False, True),
        "all": (True, True, True, True),
    }


def test_overrides_go_below_a_row_and_those_of_one_row_above_it() -> None:
    study = find_study("class-aware").override(
        "study",
        [
            "training.epochs=2",
            "model=mint-ad",
            "uniad-text-prompt:switches.text_encoder=file:a:b=c",
        ],
    )
    rows = {one.name: load_recipe(one.recipe, one.overrides) for one in study.settings}
    assert {recipe.training.epochs for recipe in rows.values()} == {2}
    assert rows["uniad"].model == "uniad"
    assert rows["uniad-text-prompt"].switches["text_encoder"] == "file:a:b=c"


def test_rows_are_chosen_by_name() -> None:
    study = find_study("prompts").choose(["label", "image"])
    assert [one.name for one in study.settings] == ["image", "label"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find_study("nothing"), "no study named 'nothing'.*class-aware.*snl"),
        (
            lambda: find_study("prompts").choose(["labels"]),
            "no row 'labels'.*image, label, feature",
        ),
        (lambda: find_study("prompts").override("study", ["x:seed=1"]), "no row 'x'"),
    ],
)
def test_unknown_names_are_refused(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=message):
        call()


def test_the_large_mlp_is_the_size_of_the_papers() -> None:
    """383.5 M parameters at 14x14 positions of 256 channels (Table 9)."""
    setting = next(one for one in find_study("query-network").settings if one.name == "mlp")
    recipe = load_recipe(setting.recipe, setting.overrides)
    from mintad.layers.inr import TokenMlpQuery

    assert model_config(recipe.model, recipe.switches).model_dump()["query_network"] == "mlp"
    import torch

    with torch.device("meta"):
        layers = TokenMlpQuery((14, 14))
    assert sum(one.numel() for one in layers.parameters()) == pytest.approx(383.5e6, rel=1e-3)
