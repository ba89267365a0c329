"""`mintad-lab run`, `tables` and `book` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from mintad.errors import ConfigError
from mintad_lab.cli.run import parse_seeds

Command = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.filterwarnings("ignore:The backbone .* has random weights")


def test_a_table_is_run_and_gone_on_with(
    lab_command: Command, processes: Any, tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    """Every row on the tiny recipe; one needs names that are not there."""
    text = tiny_recipe.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("token_")]
    (tmp_path / "small.toml").write_text("\n".join(lines), encoding="utf-8")
    words: list[Any] = ["run", "class-aware", tree, "--out", tmp_path, "--cache", tmp_path / "c"]
    words += ["--recipe", tmp_path / "small.toml", "--rows", "uniad,uniad-text-prompt"]
    words += ["--set", "training.epochs=1", "--keep-bundles"]
    words += ["--set", "uniad-text-prompt:switches.text_encoder=file:none.json"]
    status, out, error = lab_command(*words, "--seeds", "1")
    assert status == 0, error
    assert "uniad, seed 0: image AUROC macro 0.900" in out
    assert "uniad-text-prompt was not run. There is no file none.json" in out
    assert f"table: {tmp_path / 'class-aware.md'}" in out
    status, out, _ = lab_command(*words, "--seeds", "0,1")
    assert status == 0
    assert "uniad, seed 1: image" in out
    assert "seed 0" not in out
    content = json.loads((tmp_path / "class-aware.json").read_text(encoding="utf-8"))
    assert [(x["row"], x["seed"]) for x in content["results"]] == [("uniad", 0), ("uniad", 1)]
    job = processes.jobs[1]
    assert (job.row.overrides[0], job.cache) == ("training.epochs=1", tmp_path / "c")
    assert (job.runs / "bundle").is_dir()
    status, out, _ = lab_command("book", tmp_path)
    assert (status, out) == (0, f"book: {tmp_path / 'book.md'}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "no table named 'nothing'"),
        (("prompts", "--rows", "x"), "no row 'x'"),
        (("low-data", "--cases", "x"), "no case 'x'"),
        (("prompts", "--set", "x:seed=1"), "no row 'x'"),
        (("line", "--peer-set", "speed=3"), "changes nothing of a peer"),
        (("prompts", "--seeds", "many"), "names no seeds"),
        (("prompts", "--set", "switches.heads=3"), "The row image: "),
        (("prompts", "--recipe", "nothing"), "no recipe named"),
    ],
)
def test_what_cannot_be_is_refused(
    lab_command: Command, tree: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    status, _, error = lab_command("run", words[0], tree, *words[1:], "--out", tmp_path / "out")
    assert status == 2
    assert message in error
    assert not (tmp_path / "out").exists()


def test_without_a_table_or_images_nothing_runs(lab_command: Command, tmp_path: Path) -> None:
    assert lab_command("run")[0] == 2
    assert lab_command("run", "prompts")[0] == 2
    status, _, error = lab_command("book", tmp_path)
    assert status == 2
    assert "holds no table" in error


def test_the_tables_are_listed_with_their_rows(lab_command: Command) -> None:
    status, out, _ = lab_command("tables")
    assert status == 0
    for text in ("contaminated: What if there are defects", "rows: none, adaptor, adaptor + class"):
        assert text in out


def test_seeds_are_a_number_or_a_list() -> None:
    assert parse_seeds("3") == (0, 1, 2)
    assert parse_seeds("4,7") == (4, 7)
    assert parse_seeds("4,") == (4,)
    for wrong in ("", "0", "x", "1,1", "-1"):
        with pytest.raises(ConfigError):
            parse_seeds(wrong)
