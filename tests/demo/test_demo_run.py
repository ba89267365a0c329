"""The demo from data to report, on the tiny data set in place of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

pytest.importorskip("torch")

from mintad.demo import Source, demo_sources
from mintad.training import fitting

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def demo(
    command: Command,
    tree: Path,
    tiny_recipe: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """`mintad demo` into `tmp_path/demo`, on the tiny data set."""

    def make(out: Path) -> list[Source]:
        shutil.copytree(tree, out, dirs_exist_ok=True)
        return demo_sources()

    monkeypatch.setattr("mintad.demo.run.make_demo_data", make)
    monkeypatch.setenv("MINTAD_CACHE", str(cache))
    recipe = ("--recipe", tiny_recipe)
    return lambda *words: command("demo", "--out", tmp_path / "demo", *(words or recipe))


def table(printed: str) -> list[str]:
    lines = printed.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Product"))
    return lines[start : next(i for i, line in enumerate(lines) if line.startswith("Pooled")) + 1]


def test_the_demo_tells_sources_table_and_report_and_does_not_train_twice(
    demo: Command, tmp_path: Path
) -> None:
    out = tmp_path / "demo"
    status, printed, errors = demo()
    assert (status, errors) == (0, "")
    for source in demo_sources():
        assert f"{source.name}: {source.licence}" in printed
        assert source.url in printed
    assert "brick, grass, gravel are painted" in " ".join(printed.split())
    assert "solar_mono, solar_poly are real and labelled per image" in " ".join(printed.split())
    assert str((out / "report.html").absolute()) in printed
    assert (out / "report.html").is_file()
    numbers = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert f"{numbers['macro']['i_auroc']:.3f}" in table(printed)[-2]

    with patch.object(fitting, "fit", side_effect=AssertionError("trained again")):
        status, again, _ = demo()
    assert status == 0
    assert f"Using the run that is in {out / 'run'}" in again
    assert table(again) == table(printed)

    shutil.rmtree(out)
    assert table(demo()[1]) == table(printed)  # trained anew


def test_a_stopped_demo_goes_on(demo: Command, tmp_path: Path) -> None:
    with patch.object(fitting.StopBetweenSteps, "asked", True):
        status, _, errors = demo()
    assert status == 130
    assert "the same command goes on" in errors
    status, printed, _ = demo()
    assert status == 0
    assert f"Going on with the run in {tmp_path / 'demo' / 'run'}" in printed


def test_a_run_of_another_recipe_is_not_used(
    demo: Command, tiny_recipe: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(tiny_recipe.read_text(encoding="utf-8") + "\nweight_decay = 0.5\n", "utf-8")
    assert demo()[0] == 0
    status, _, errors = demo("--recipe", other)
    assert status == 2
    assert "another recipe" in errors
    assert f"Delete {tmp_path / 'demo' / 'run'}" in errors
