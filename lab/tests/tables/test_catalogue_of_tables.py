"""The tables as data: every row makes a recipe, and the papers' figures belong to rows."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from mintad.backbones import backbone_spec
from mintad.errors import ConfigError
from mintad.models import model_config
from mintad.training import load_recipe
from mintad_lab.experiment.table import Row, Table, slug
from mintad_lab.tables import describe_tables, find_table, list_tables

ABLATIONS = [
    "backbones",
    "class-aware",
    "components",
    "prompts",
    "query-network",
    "snl",
]


def trained(table: Table) -> list[Row]:
    return [row for row in table.rows if row.peer is None]


def test_every_table_of_the_papers_and_of_the_book_is_there() -> None:
    assert set(list_tables()) == {
        *ABLATIONS,
        "unified-vs-separate",
        "closed-form",
        "transformer",
        "line",
        "cifar10",
        "merged",
        "low-data",
        "contaminated",
        "mislabelled",
        "shift",
    }


@pytest.mark.parametrize("name", list_tables())
def test_every_row_is_a_recipe_whose_switches_its_method_takes(name: str) -> None:
    table = find_table(name)
    assert table.name == name
    assert f"{name}: {table.question}" in describe_tables()
    for names in ([row.name for row in table.rows], [case.name for case in table.cases]):
        assert len({slug(one) for one in names}) == len(names) > 0
    assert len({(x.overrides, x.recipe, x.peer, x.separate) for x in table.rows}) == len(table.rows)
    for row in trained(table):
        recipe = load_recipe(row.recipe, row.overrides)
        model_config(recipe.model, recipe.switches)


@pytest.mark.parametrize("name", [*ABLATIONS, "unified-vs-separate"])
def test_rows_of_an_ablation_share_the_budget(name: str) -> None:
    rows = trained(find_table(name))[: 4 if name.startswith("unified") else None]
    recipes = [load_recipe(row.recipe, row.overrides) for row in rows]
    assert len({recipe.training for recipe in recipes}) == 1
    assert {recipe.resize for recipe in recipes} == {"stretch"}


@pytest.mark.parametrize("name", list_tables())
def test_published_figures_belong_to_rows_and_say_where_they_are_from(name: str) -> None:
    table = find_table(name)
    figures = [row.published for row in table.rows]
    for case in table.cases:
        assert set(case.published) <= {row.name for row in table.rows}
        figures += case.published.values()
    printed = [value for published in figures for value in published.values()]
    assert all(0.4 < value < 1 for value in printed)
    assert "arXiv" in table.source or not printed


def test_the_components_are_switched_off_one_by_one() -> None:
    parts = ("adaptor", "classification", "class_query", "prior")
    found = {}
    for row in find_table("components").rows:
        recipe = load_recipe(row.recipe, row.overrides)
        config = model_config(recipe.model, recipe.switches)
        found[row.name] = tuple(getattr(config, part) for part in parts)
    assert found == {
        "none": (False, False, False, False),
        "adaptor": (True, False, False, False),
        "adaptor + classification": (True, True, False, False),
        "adaptor + classification + query": (True, True, True, False),
        "adaptor + classification + prior": (True, True, False, True),
        "all": (True, True, True, True),
    }


def test_every_method_of_the_line_is_there_unified_and_separate() -> None:
    rows = {row.name: row.separate for row in find_table("line").rows}
    for name, separate in rows.items():
        assert separate == name.endswith(" separate")
        assert name.removesuffix(" separate") in rows
        assert f"{name.removesuffix(' separate')} separate" in rows


def test_backbones_are_read_at_the_stages_of_the_registry() -> None:
    for row in find_table("backbones").rows:
        backbone = load_recipe(row.recipe, row.overrides).backbone
        assert (backbone.name, backbone.stages) == (
            row.name,
            backbone_spec(row.name).default_stages,
        )


def test_overrides_go_below_a_row_and_those_of_one_row_above_it() -> None:
    table = find_table("class-aware").override(
        [
            "training.epochs=2",
            "model=mint-ad",
            "uniad-text-prompt:switches.text_encoder=file:a:b=c",
        ],
        recipe="fast",
    )
    rows = {row.name: row for row in table.rows}
    assert rows["uniad"].overrides == ("training.epochs=2", "model=mint-ad", "model=uniad")
    assert rows["uniad"].recipe == "fast"
    assert rows["uniad-text-prompt"].overrides[-1] == "switches.text_encoder=file:a:b=c"


def test_peers_have_overrides_of_their_own() -> None:
    table = find_table("line").override(["training.epochs=2"], ["size=96", "stfpm:epochs=3"])
    peers = {row.name: row.peer for row in table.rows}
    stfpm, cflow = peers["stfpm separate"], peers["cflow"]
    assert stfpm is not None
    assert cflow is not None
    assert (stfpm.epochs, stfpm.size, cflow.epochs, cflow.size) == (3, 96, 4, 96)
    assert stfpm.description == "3 epochs at 96x96 pixels"
    for text in ("speed=3", "epochs=many", "nobody:epochs=3", "epochs"):
        with pytest.raises(ConfigError):
            find_table("line").override((), [text])


def test_rows_and_cases_are_chosen_by_name() -> None:
    table = find_table("low-data").select(["padim", "uniad"], ["4 images"])
    assert [row.name for row in table.rows] == ["uniad", "padim"]
    assert [case.name for case in table.cases] == ["4 images"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find_table("nothing"), "no table named 'nothing'.*class-aware.*prompts"),
        (lambda: find_table("rows"), "no table named 'rows'"),
        (lambda: find_table("prompts").select(["x"]), "no row 'x'.*image, label, feature"),
        (lambda: find_table("shift").select((), ["x"]), "no case 'x'.*brighter"),
        (lambda: find_table("prompts").override(["x:seed=1"]), "no row 'x'"),
    ],
)
def test_unknown_names_are_refused(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=message):
        call()


def test_the_large_mlp_is_the_size_of_the_papers() -> None:
    """383.5 M parameters at 14x14 positions of 256 channels (Table 9)."""
    import torch

    from mintad.layers import TokenMlpQuery

    row = next(row for row in find_table("query-network").rows if row.name == "mlp")
    recipe = load_recipe(row.recipe, row.overrides)
    assert model_config(recipe.model, recipe.switches).model_dump()["query_network"] == "mlp"
    with torch.device("meta"):
        layers = TokenMlpQuery((14, 14))
    assert sum(one.numel() for one in layers.parameters()) == pytest.approx(383.5e6, rel=1e-3)
