"""What the README and the docs tell a reader to run does run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer

import mintad.cli.app
import mintad_lab.cli.app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and content of all fenced blocks of a language."""
    return [
        (page.name, content)
        for page in PAGES
        for content in re.findall(
            rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S
        )
    ]


def command_lines(program: str) -> list[str]:
    """Every call of a program, in a shell block or between backticks."""
    shell = [line for _, content in blocks("sh") for line in content.splitlines()]
    inline = [
        code for page in PAGES for code in re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))
    ]
    return sorted({line for line in shell + inline if line.startswith(f"{program} ")})


@pytest.mark.parametrize(("page", "snippet"), blocks("python"))
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
    commands = typer.main.get_command(APPS[program]).commands
    assert name in commands
    known = {option for parameter in commands[name].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known | {"--help"}


@pytest.mark.parametrize("line", command_lines("make"))
def test_a_make_target_exists(line: str) -> None:
    target = shlex.split(line, comments=True)[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
