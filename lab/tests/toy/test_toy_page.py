"""`mintad-lab toy` writes what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("torch")

from mintad_lab.toy import page
from mintad_lab.toy.experiment import AWARE, DENOISING, PLAIN, TOKEN
from mintad_lab.toy.limit import BEST, BEST_AWARE
from mintad_lab.toy.measures import Measures
from mintad_lab.toy.training import Budget

PLANNED = {
    "ring": (PLAIN, DENOISING, BEST),
    "two rings": (DENOISING, TOKEN, AWARE, BEST, BEST_AWARE),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("toy")
    lines: list[str] = []
    page.run_toy(
        out,
        seed=5,
        repeats=2,
        budget=Budget(steps=20, batch=32),
        planned=PLANNED,
        echo=lines.append,
    )
    return out, "\n".join(lines)


def test_the_numbers_hold_every_network_and_seed(written: tuple[Path, str]) -> None:
    content = json.loads((written[0] / "toy.json").read_text(encoding="utf-8"))
    assert content["seeds"] == [5, 6]
    assert content["budget"]["steps"] == 20
    kinds = [(result["shapes"], result["network"]) for result in content["results"]]
    assert kinds == [
        (scene, network.kind) for scene, networks in PLANNED.items() for network in networks
    ]
    for result in content["results"]:
        assert len(result["seeds"]) == 2
        assert set(result["mean"]) == {field.name for field in fields(Measures)}
        assert (result["mean"]["interference"] is None) == (result["shapes"] == "ring")
        both = [seed["roughness"] for seed in result["seeds"]]
        assert result["mean"]["roughness"] == pytest.approx(sum(both) / 2)


def test_the_table_shows_the_numbers(written: tuple[Path, str]) -> None:
    out, said = written
    content = json.loads((out / "toy.json").read_text(encoding="utf-8"))
    markdown = (out / "toy.md").read_text(encoding="utf-8")
    for result in content["results"]:
        mean, deviation = result["mean"]["copied"], result["deviation"]["copied"]
        cell = f"{mean:.3f} ± {deviation:.3f}"
        assert cell in said
        assert cell in markdown
    assert markdown.count("| two rings |") == 5


def test_the_figures_are_whole(written: tuple[Path, str]) -> None:
    out, said = written
    figures = sorted(out.glob("toy-*.svg"))
    assert [file.name for file in figures] == ["toy-classes.svg", "toy-shortcut.svg"]
    for file in figures:
        assert str(file) in said
        text = file.read_text(encoding="utf-8")
        ElementTree.fromstring(text)
        assert len(text) < 150_000
    classes = figures[0].read_text(encoding="utf-8")
    assert len(re.findall("<image", classes)) == 3 + 1  # three panels and the colour bar
    assert "Class-aware: two rings" in classes


def test_the_command_passes_its_options_on(
    lab_command: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(page, "run_toy", lambda out, **more: asked.update(more, out=out))
    status, _, errors = lab_command("toy", "--out", tmp_path / "there", "--seed", 7)
    assert (status, errors) == (0, "")
    assert asked["out"] == tmp_path / "there"
    assert asked["seed"] == 7
