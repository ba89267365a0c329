from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from mintad.errors import ConfigError
from mintad.training.recipe import list_recipes, load_recipe


@pytest.mark.parametrize("name", list_recipes())
def test_every_shipped_recipe_is_valid(name: str) -> None:
    assert load_recipe(name).name == name


def test_the_paper_recipe_is_the_papers() -> None:
    recipe = load_recipe("paper")
    assert recipe.training.epochs == 1000
    assert recipe.training.batch_size == 32
    assert recipe.training.schedule == "step"
    assert recipe.switches == {}


def test_the_uniad_recipe_is_its_codes() -> None:
    recipe = load_recipe("uniad")
    assert recipe.model == "uniad"
    assert recipe.switches == {}
    assert recipe.backbone.stages == (0, 1, 2, 3)
    training = recipe.training
    assert (training.epochs, training.batch_size, training.schedule) == (1000, 64, "step")
    assert (training.learning_rate, training.betas) == (1e-4, (0.9, 0.999))
    assert (training.weight_decay, training.clip_norm) == (1e-4, 0.1)


def test_overrides_are_read_as_the_command_line_gives_them() -> None:
    recipe = load_recipe(
        "default",
        ["training.epochs=5", "backbone.name=efficientnet_lite0", "switches.dim=64", "seed=3"],
    )
    assert recipe.training.epochs == 5
    assert recipe.backbone.name == "efficientnet_lite0"
    assert recipe.switches["dim"] == 64
    assert recipe.seed == 3


def test_overrides_may_be_a_mapping() -> None:
    assert load_recipe("default", {"training.batch_size": 2}).training.batch_size == 2


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("fancy", [], "fancy.*default"),
        ("missing.toml", [], "missing.toml"),
        ("default", ["training.epochs"], "FIELD=VALUE"),
        ("default", ["training.epochs=many"], "training.epochs.*many"),
        ("default", ["training.speed=1"], "training.speed"),
        ("default", ["training.epochs=-1"], "training.epochs"),
        ("default", ["seed.deep=1"], "seed.deep"),
    ],
)
def test_what_a_recipe_cannot_be_is_refused_by_name(
    name: str, overrides: list[str], message: str
) -> None:
    if "seed.deep" in message:
        overrides = ["seed=1", *overrides]
    with pytest.raises(ConfigError, match=message):
        load_recipe(name, overrides)


def test_a_file_that_is_not_toml_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("model = ", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        load_recipe(file)
