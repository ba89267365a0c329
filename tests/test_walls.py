"""The laboratory is a customer of the shop: it takes what the faces of the rooms offer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

LABORATORY = Path(__file__).parents[1] / "lab" / "src" / "mintad_lab"


def taken(file: Path) -> Iterator[tuple[str, str]]:
    """Module and name of everything that a file takes from the shop; "" for a whole module."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
            yield from ((name, "") for name in modules if name.split(".")[0] == "mintad")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mintad":
            yield from ((str(node.module), alias.name) for alias in node.names)


def is_public(module: str, name: str) -> bool:
    if not name:
        return module == "mintad"
    return module.count(".") < 2 and name in getattr(import_module(module), "__all__", ())


@pytest.mark.parametrize(
    "file", sorted(LABORATORY.rglob("*.py")), ids=lambda file: str(file.relative_to(LABORATORY))
)
def test_the_laboratory_takes_public_names_alone(file: Path) -> None:
    pytest.importorskip("torch")
    assert [f"{module}.{name}" for module, name in taken(file) if not is_public(module, name)] == []
