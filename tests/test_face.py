"""The public face: what there is, what it says, and that its examples hold."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
import sys
from pathlib import Path

import pytest

import mintad


def documented() -> dict[str, object]:
    """The names of the face that are functions or classes."""
    pytest.importorskip("torch")
    return {name: getattr(mintad, name) for name in mintad.__all__ if not name.startswith("__")}


def test_what_dir_shows_is_what_there_is() -> None:
    assert dir(mintad) == sorted(mintad.__all__)
    assert all(hasattr(mintad, name) for name in dir(mintad))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mintad.nothing


def test_a_room_does_not_hide_a_function_of_the_face() -> None:
    rooms = {place.stem for place in Path(mintad.__file__).parent.iterdir()}
    assert not rooms & set(mintad.__all__)


def test_what_cannot_be_imported_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mintad.bundle", None)
    with pytest.raises(mintad.MintadError, match=r"mintad\.load needs .*mintad\[train\]"):
        _ = mintad.load


def test_everything_of_the_face_has_an_example() -> None:
    without = {"MintadError"}
    for name, thing in documented().items():
        assert name in without or ">>>" in (inspect.getdoc(thing) or ""), name


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True, recurse=False)
    return [
        example
        for name, thing in documented().items()
        for example in finder.find(thing, name, module=False)
    ]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example_holds(
    example: doctest.DocTest,
    tree: Path,
    exported_run: Path,
    tiny_recipe: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a folder with `data`, `new/part.png` and a trained `run`; the recipe is the tiny one."""
    from mintad.backbones import registry as backbones
    from mintad.models import registry as methods
    from mintad.training import load_recipe

    shutil.copytree(tree, tmp_path / "data")
    shutil.copytree(exported_run, tmp_path / "run")
    (tmp_path / "new").mkdir()
    shutil.copy(tree / "stripes" / "test" / "hole" / "000.png", tmp_path / "new" / "part.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINTAD_CACHE", str(cache))
    monkeypatch.setattr(
        "mintad.training.run.load_recipe",
        lambda _, overrides=(): load_recipe(tiny_recipe, overrides),
    )
    for registry in (methods._METHODS, backbones._BACKBONES):
        monkeypatch.setattr(registry, "_entries", registry.entries())
    example.globs = {"mintad": mintad, "Path": Path}
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not said, "".join(said)


def test_everything_prints_a_short_line(exported_run: Path, tree: Path) -> None:
    pytest.importorskip("torch")
    dataset = mintad.read(tree)
    bundle = mintad.load(exported_run)
    inspector = mintad.Inspector(bundle)
    things = [
        *(dataset, bundle, inspector, inspector.one(dataset.samples[0].image)),
        *(mintad.evaluate(bundle, dataset), mintad.load_recipe("default")),
    ]
    for thing in things:
        assert repr(thing).startswith(type(thing).__name__)
        assert len(repr(thing)) < 200
        assert "\n" not in repr(thing)


def test_the_page_of_the_face_holds_all_of_it() -> None:
    page = Path(__file__).parents[1] / "docs" / "api.md"
    shown = re.findall(r"^::: mintad\.(\w+)$", page.read_text(encoding="utf-8"), re.M)
    assert sorted(shown) == sorted(set(mintad.__all__) - {"__version__"})
