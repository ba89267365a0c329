"""Jobs in processes of their own: what comes back, and what is said of one that fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mintad
import mintad_lab
from mintad_lab.experiment.process import LOG_FILE, run_process

WORKER = """
import sys
from pathlib import Path
from mintad_lab.experiment.process import finish, read_job

folder = Path(sys.argv[1])
job = read_job(folder)
if job == "break":
    raise RuntimeError("no such | thing")
finish(folder, {"doubled": 2 * job["number"]})
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "some_worker.py").write_text(WORKER, encoding="utf-8")
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return "some_worker"


def test_a_process_gives_its_outcome_and_its_cost(worker: str, tmp_path: Path) -> None:
    outcome = run_process(tmp_path / "job", {"number": 21}, module=worker)
    assert outcome["doubled"] == 42
    assert outcome["peak_megabytes"] > 10
    assert outcome["versions"]["mintad"] == mintad.__version__
    assert outcome["machine"]["cores"] == os.cpu_count()
    assert [file.name for file in (tmp_path / "job").iterdir()] == [LOG_FILE]


def test_a_process_that_fails_says_why(worker: str, tmp_path: Path) -> None:
    outcome = run_process(tmp_path / "job", "break", module=worker)
    assert outcome == {"not_run": "RuntimeError: no such / thing"}
    outcome = run_process(tmp_path / "job", {}, tmp_path / "no-python", worker)
    assert "could not be started" in outcome["not_run"]


def test_another_python_finds_mintad_and_its_laboratory(tmp_path: Path) -> None:
    """A Python that has neither on its path, and says what it was given."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH"\nexit 1\n', encoding="utf-8")
    python.chmod(0o755)
    run_process(tmp_path / "job", {}, python)
    said = (tmp_path / "job" / LOG_FILE).read_text(encoding="utf-8").strip().split(os.pathsep)
    for package in (mintad, mintad_lab):
        assert str(Path(str(package.__file__)).parents[1]) in said
