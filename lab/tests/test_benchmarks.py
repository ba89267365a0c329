"""The benchmarks start, and the docs name those that there are."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
SCRIPTS = {path.name: path for path in sorted((ROOT / "benchmarks").glob("[a-z]*.py"))}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_starts(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = SCRIPTS[name]
    purpose, *_ = script.read_text(encoding="utf-8").strip('"').splitlines()
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(script), run_name="__main__")
    assert end.value.code == 0
    assert purpose in " ".join(capsys.readouterr().out.split())


def test_the_docs_name_benchmarks_that_there_are() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.py")]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    named = {name for text in texts for name in re.findall(r"benchmarks/(\w+\.py)", text)}
    assert named == set(SCRIPTS)
