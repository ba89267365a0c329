"""What CONTRIBUTING says of adding to mintad is done as it says."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import mintad

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def snippets(heading: str, language: str = "python") -> list[str]:
    """The fenced blocks below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S)


def module(name: str, snippet: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that a snippet makes, until the test ends."""
    made = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, made)
    exec(compile(snippet, name, "exec"), made.__dict__)
    return made


def test_the_rooms_are_named_in_the_order_that_is_held() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]
    held = [room for layer in reversed(contract["layers"]) for room in layer.split(" : ")]
    rule = PAGE.split("- **One direction.**")[1].split("\n- ")[0].split(":")[0]
    assert re.findall(r"\w+", rule) == held


def test_a_method_a_backbone_and_a_recipe_are_added(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from mintad.backbones import registry as backbones
    from mintad.models import registry as methods

    for registry in (methods._METHODS, backbones._BACKBONES):
        monkeypatch.setattr(registry, "_entries", registry.entries())
    (method,) = snippets("Add a method")
    entry, network = snippets("Add a backbone")
    (recipe,) = snippets("Add a recipe", "toml")
    module("my_method", method, monkeypatch)
    module("my_backbone", entry, monkeypatch)
    module("my_networks", network, monkeypatch)
    file = tmp_path / "mine.toml"
    file.write_text(recipe, encoding="utf-8")
    bundle = mintad.train(tree, tmp_path / "run", recipe=file, cache=tmp_path / "cache")
    assert bundle.manifest.graph("openvino", "float32"), bundle.manifest.graph_problem
    evaluation = mintad.evaluate(bundle, tree, give_product=True)
    assert evaluation.metrics.macro["i_auroc"] > 0.9
    assert "mean-distance" in mintad.list_models()
    assert "two-convolutions" in mintad.list_backbones()


def test_a_layout_is_added(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mintad.data import reading

    layout, line = snippets("Add a layout")
    names = module("names", layout, monkeypatch)
    added = eval(f"{{{line}}}", {**reading.__dict__, "names": names})
    monkeypatch.setattr(reading, "_LAYOUTS", added | reading._LAYOUTS)
    monkeypatch.setattr(reading, "LAYOUTS", ("auto", *added, *reading._LAYOUTS))
    for name, kind in (("bolt-good-1", "good"), ("nut-hole-2", "hole")):
        shutil.copy(tree / "blobs" / "test" / kind / "000.png", tmp_path / f"{name}.png")
    for layout_name in ("auto", "names"):
        dataset = mintad.read(tmp_path, layout=layout_name)
        assert [(s.product, s.split, s.label, s.defect_type) for s in dataset] == [
            ("bolt", "test", 0, "good"),
            ("nut", "test", 1, "hole"),
        ]
        assert dataset.left_out == ()
