"""Whatever a message advises exists: every option, command, field and extra that the code names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path

import pytest
import typer

from mintad.cli.app import app
from mintad.training.recipe import Recipe

SOURCE = Path(__file__).parents[1] / "src" / "mintad"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = {
    name: {option for parameter in command.params for option in parameter.opts}
    for name, command in COMMANDS.items()
}
EVERY_OPTION = set().union(*OPTIONS.values())


def texts() -> Iterator[tuple[str, str]]:
    """Every text of more than a word in the code, docstrings apart, with its place.

    What is filled in stands as {}.
    """
    for file in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        apart = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                apart.update(node.values)
        for node in ast.walk(tree):
            text = ""
            if isinstance(node, ast.JoinedStr):
                text = "".join(
                    part.value if isinstance(part, ast.Constant) else "{}" for part in node.values
                )
            elif isinstance(node, ast.Constant) and node not in apart:
                text = node.value if isinstance(node.value, str) else ""
            if " " in text.strip():
                yield f"{file.relative_to(SOURCE)}:{node.lineno}", text


ADVICE = list(texts())


def test_the_walk_finds_the_advice():
    found = " ".join(text for _, text in ADVICE)
    for known in ("--resume", "--max-pixels", "`mintad validate`", "backbone.also_at", "--good {}"):
        assert known in found


def test_every_option_exists():
    named = re.compile(r"(?<![\w(-])--[a-z][a-z-]*")
    wrong = [
        (place, option)
        for place, text in ADVICE
        if "{font-family" not in text
        for option in named.findall(text)
        if option not in EVERY_OPTION
    ]
    assert wrong == []


def test_every_command_exists_and_has_the_options_named_with_it():
    spoken = re.compile(r"(?:`|: )mintad ([a-z]+)([^`.]*)")
    wrong = [
        (place, command, rest)
        for place, text in ADVICE
        for command, rest in spoken.findall(text)
        if command not in COMMANDS
        or not set(re.findall(r"--[a-z][a-z-]*", rest)) <= OPTIONS[command]
    ]
    assert wrong == []


def test_every_field_exists():
    sections = {
        name: set(Recipe.model_fields[name].annotation.model_fields)
        for name in ("backbone", "training")
    }
    pytest.importorskip("torch")
    from mintad.models import list_models, model_class

    sections["switches"] = {
        field for name in list_models() for field in model_class(name).config_class.model_fields
    }
    dotted = re.compile(r"\b(backbone|training|switches)\.([a-z_]+)\b(?!\.|\()")
    setting = re.compile(r"--set ([a-z_]+)(?==)")
    wrong = [
        (place, f"{section}.{field}")
        for place, text in ADVICE
        for section, field in dotted.findall(text)
        if field not in sections[section]
    ]
    wrong += [
        (place, field)
        for place, text in ADVICE
        for field in setting.findall(text)
        if field not in Recipe.model_fields
    ]
    assert wrong == []


def test_every_extra_exists():
    extras = set(metadata("mintad").get_all("Provides-Extra") or ())
    named = re.compile(r"mintad\[([a-z]+)\]")
    wrong = [
        (place, extra)
        for place, text in ADVICE
        for extra in named.findall(text)
        if extra not in extras
    ]
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_error = isinstance(node, ast.Call) and "MissingExtraError" in ast.dump(node.func)
            if is_error and isinstance(node.args[1], ast.Constant):
                extra = node.args[1].value
                wrong += [] if extra in extras else [(file.name, extra)]
    assert wrong == []


def test_the_limit_of_pixels_can_be_raised_where_its_message_says():
    from mintad.data.sources import SHRINK

    for command in ("inspect", "evaluate", "report", "validate"):
        assert command in SHRINK
        assert "--max-pixels" in OPTIONS[command]
    assert "--set max_pixels=" in SHRINK
    assert "max_pixels" in Recipe.model_fields
    assert "--set" in OPTIONS["train"]
