"""What the README and the docs tell a reader to run does run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer

import mintad
import mintad.cli.app
import mintad_lab.cli.app

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "lab/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and content of all fenced blocks of a language."""
    return [
        (page.name, content)
        for page in PAGES
        for content in re.findall(
            rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S
        )
    ]


def shell_lines(program: str) -> list[str]:
    """Every call of a program in a shell block."""
    lines = [line for _, content in blocks("sh") for line in content.splitlines()]
    return sorted({line for line in lines if line.startswith(f"{program} ")})


def command_lines(program: str) -> list[str]:
    """Every call of a program, in a shell block or between backticks."""
    inline = [
        code for page in PAGES for code in re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))
    ]
    return sorted(
        {*shell_lines(program), *(line for line in inline if line.startswith(f"{program} "))}
    )


@pytest.mark.parametrize(
    ("page", "snippet"), [block for block in blocks("python") if block[0] != "CONTRIBUTING.md"]
)
def test_a_python_snippet_runs(
    page: str,
    snippet: str,
    tree: Path,
    tiny_recipe: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As written, beside the folders that it names; only the recipe is the tiny one."""
    pytest.importorskip("torch")
    from mintad.training.recipe import load_recipe

    for folder, new in (("data", "new/part.png"), ("images", "new_images/001.png")):
        shutil.copytree(tree, tmp_path / folder)
        (tmp_path / new).parent.mkdir()
        shutil.copy(tree / "stripes" / "test" / "hole" / "000.png", tmp_path / new)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINTAD_CACHE", str(cache))
    monkeypatch.setattr(
        "mintad.training.run.load_recipe",
        lambda _, overrides=(): load_recipe(tiny_recipe, overrides),
    )
    exec(compile(snippet, page, "exec"), {})
    product, score = capsys.readouterr().out.split()
    assert product in ("blobs", "stripes")
    assert float(score) > 0


def test_the_readme_has_a_snippet_and_its_commands() -> None:
    assert "README.md" in [page for page, _ in blocks("python")]
    used = {line.split()[1] for line in command_lines("mintad")}
    assert {"train", "evaluate", "report", "inspect", "validate", "doctor"} <= used


APPS = {"mintad": mintad.cli.app.app, "mintad-lab": mintad_lab.cli.app.app}


@pytest.mark.parametrize("line", [line for name in APPS for line in command_lines(name)])
def test_a_command_exists_with_its_options(line: str) -> None:
    program, name, *words = shlex.split(line, comments=True)
    group = typer.main.get_command(APPS[program])
    if name.startswith("--"):
        assert name in {"--help", "--version"}
        return
    assert name in group.commands
    known = {option for parameter in group.commands[name].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known | {"--help"}


@pytest.mark.parametrize(
    "line", [line for name in APPS for line in shell_lines(name) if " --help" not in line]
)
def test_the_values_of_a_command_are_ones_that_it_takes(line: str) -> None:
    """All arguments are there and of the right type; recipes, fields, engines and rows exist."""
    pytest.importorskip("torch")
    from mintad.data import LAYOUTS
    from mintad.engines.registry import list_engines
    from mintad.metrics import find_profiles
    from mintad_lab.cli.run import parse_seeds
    from mintad_lab.tables import find_table

    program, name, *words = shlex.split(line, comments=True)
    command = typer.main.get_command(APPS[program]).commands[name]
    values = command.make_context(name, words).params
    assert values.get("layout", "auto") in LAYOUTS
    engines = values.get("engine") or ()
    for engine in [engines] if isinstance(engines, str) else engines:
        assert engine.partition(":")[0] in [*list_engines(), "auto"]
    if name in ("train", "demo"):
        mintad.load_recipe(values["recipe"], values.get("set_") or ())
    if name == "evaluate":
        find_profiles(values["protocol"] or ())
    if name == "run":
        table = find_table(values["name"])
        table = table.override(values["set_"] or (), values["peer_set"] or (), values["recipe"])
        table.select([row for text in values["rows"] or () for row in text.split(",")])
        parse_seeds(values["seeds"])


@pytest.mark.parametrize("line", command_lines("make"))
def test_a_make_target_exists(line: str) -> None:
    target = shlex.split(line, comments=True)[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
