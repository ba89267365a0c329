"""Processes that give their outcome at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mintad.metrics import METRICS
from mintad_lab.experiment.process import Job, Outcome


class Processes:
    """Stands in for processes: remembers the jobs, and leaves a bundle, as a training does."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.pythons: list[Path | None] = []
        self.fails = False

    def __call__(self, folder: Path, job: Job, python: Path | None) -> Outcome:
        self.jobs.append(job)
        self.pythons.append(python)
        bundle = job.runs / "bundle"
        bundle.mkdir(parents=True, exist_ok=True)
        (bundle / "manifest.json").write_text("{}", encoding="utf-8")
        return {"not_run": "It fell."} if self.fails else outcome()


def outcome() -> Outcome:
    """What a process would have found."""
    metrics = dict.fromkeys(METRICS, 0.9)
    counts = {"n_good": 8, "n_defect": 8}
    config = {"evaluation_size": [64, 64], "images": 16, "scores": "raw"}
    return {
        "evaluation": {
            "products": {"blobs": metrics | counts},
            "macro": metrics,
            "pooled": metrics | counts,
            "config": config | {"product_given": False, "product_accuracy": None},
        },
        "scores": {"blobs": {"scores": [0.0, 1.0], "labels": [0, 1]}},
        "seconds": 1.0,
        "training_images": 20,
        "versions": {"mintad": "0"},
        "machine": {"cores": 2, "processor": "a processor", "threads": 1},
    }


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """The stand-in, in the place of processes."""
    pytest.importorskip("torch")
    from mintad_lab.experiment import running

    stand_in = Processes()
    monkeypatch.setattr(running, "run_process", stand_in)
    return stand_in
