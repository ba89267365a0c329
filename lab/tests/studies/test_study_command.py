"""`mintad-lab study` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from mintad.errors import ConfigError
from mintad_lab.cli.study import parse_seeds

Command = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.filterwarnings("ignore:The backbone .* has random weights")


@pytest.fixture(scope="module")
def small_recipe(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny recipe without the switches that only MINT-AD knows."""
    text = tiny_recipe.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("token_")]
    file = tmp_path_factory.mktemp("small") / "small.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_a_study_writes_its_table_and_goes_on_where_it_stood(
    lab_command: Command, tree: Path, small_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    words: list[Any] = ["study", "class-aware", tree, "--out", tmp_path, "--recipe", small_recipe]
    words += ["--epochs", 1, "--cache", cache, "--rows", "uniad,uniad-text-prompt"]
    words += ["--set", "uniad-text-prompt:switches.text_encoder=file:none.json"]
    status, out, error = lab_command(*words, "--seeds", "1")
    assert status == 0, error
    assert "uniad, seed 0: image AUROC macro" in out
    assert "uniad-text-prompt was not run. There is no file none.json" in out
    assert f"table: {tmp_path / 'class-aware.md'}" in out
    assert {path.suffix for path in tmp_path.glob("class-aware.*")} == {
        ".md",
        ".csv",
        ".json",
        ".svg",
    }
    status, out, _ = lab_command(*words, "--seeds", "0,1")
    assert status == 0
    assert "uniad, seed 1: image" in out
    assert "seed 0" not in out
    content = json.loads((tmp_path / "class-aware.json").read_text(encoding="utf-8"))
    assert [len(row["results"]) for row in content["rows"]] == [2, 0]
    assert {one["recipe"]["training"]["epochs"] for one in content["rows"][0]["results"]} == {1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "No study is named"),
        (("nothing",), "no study named 'nothing'"),
        (("prompts", "--rows", "x"), "no row 'x'"),
        (("prompts", "--seeds", "many"), "names no seeds"),
        (("prompts", "--set", "switches.heads=3"), "The row image: "),
        (("prompts", "--recipe", "nothing"), "no recipe named"),
    ],
)
def test_what_cannot_be_is_refused(
    lab_command: Command, tree: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    data = [tree] if words else []
    status, _, error = lab_command(
        "study", *words[:1], *data, *words[1:], "--out", tmp_path / "out"
    )
    assert status == 2
    assert message in error
    assert not (tmp_path / "out").exists()


def test_without_images_a_study_says_so(lab_command: Command) -> None:
    status, _, error = lab_command("study", "prompts")
    assert status == 2
    assert "No data were given" in error


def test_the_list_names_every_study_and_row(lab_command: Command) -> None:
    status, out, _ = lab_command("study", "--list")
    assert status == 0
    for name in ("unified-vs-separate:", "  adaptor + classification", "  uniad"):
        assert f"\n{name}" in out


def test_seeds_are_a_number_or_a_list() -> None:
    assert parse_seeds("3") == (0, 1, 2)
    assert parse_seeds("4,7") == (4, 7)
    assert parse_seeds("4,") == (4,)
    for wrong in ("", "0", "x", "1,1", "-1"):
        with pytest.raises(ConfigError):
            parse_seeds(wrong)
