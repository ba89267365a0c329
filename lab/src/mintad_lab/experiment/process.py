"""A run in a process of its own: what goes in, what comes out, and what it cost."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mintad
import mintad_lab
from mintad.data import Dataset
from mintad.system import measured_on, package_versions, read_json, write_bytes, write_json
from mintad_lab.experiment.table import Row

JOB_FILE = "job.pickle"
OUTCOME_FILE = "outcome.json"
LOG_FILE = "log.txt"

Outcome = dict[str, Any]
"""What a run gave, as its JSON file holds it; `{"not_run": why}` where it could not be."""


@dataclass(frozen=True)
class Job:
    """A row with a seed on the images of a case.

    Trainings go into `runs`. `cache` is where features are kept (None: the user's cache folder);
    with `from_images` they are computed anew. `download` lets a peer fetch its weights.
    """

    row: Row
    dataset: Dataset
    seed: int
    runs: Path
    cache: Path | None = None
    from_images: bool = False
    download: bool = False


def run_process(
    folder: Path,
    job: Any,
    python: Path | None = None,
    module: str = "mintad_lab.experiment.worker",
) -> Outcome:
    """What `python -m module folder` made of a job. Everything it prints goes to a log there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OUTCOME_FILE).unlink(missing_ok=True)
    write_bytes(folder / JOB_FILE, pickle.dumps(job))
    command = [str(python or sys.executable), "-m", module, str(folder)]
    try:
        with (folder / LOG_FILE).open("w", encoding="utf-8") as log:
            done = subprocess.run(
                command, stdout=log, stderr=log, env=_environment(python), check=False
            )
        if done.returncode == 0 and (folder / OUTCOME_FILE).is_file():
            return read_json(folder / OUTCOME_FILE)
    except OSError as error:
        return {"not_run": f"{command[0]} could not be started: {error}."}
    finally:
        for name in (JOB_FILE, OUTCOME_FILE):
            (folder / name).unlink(missing_ok=True)
    return {"not_run": _reason(folder / LOG_FILE, done.returncode)}


def read_job(folder: Path) -> Any:
    """The job in `folder`, as `run_process` wrote it."""
    return pickle.loads((folder / JOB_FILE).read_bytes())


def finish(folder: Path, outcome: Outcome) -> None:
    """Writes the outcome, with what this process cost and what it ran on."""
    versions = package_versions()
    with suppress(PackageNotFoundError):
        versions["anomalib"] = version("anomalib")
    about = {"peak_megabytes": peak_megabytes(), "versions": versions, "machine": measured_on()}
    write_json(folder / OUTCOME_FILE, outcome | about)


def peak_megabytes() -> float | None:
    """The most memory this process ever had, in MB; None where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _environment(python: Path | None) -> dict[str, str]:
    """Lets another Python find this mintad and its laboratory where they run from their source."""
    environment = dict(os.environ)
    if python is not None:
        homes = [Path(str(package.__file__)).parents[1] for package in (mintad, mintad_lab)]
        paths = [str(home) for home in homes if home.name != "site-packages"]
        paths.append(environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


def _reason(log: Path, status: int) -> str:
    """The last line of an error, which names it; or what ended the process."""
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines()]
    lines = [line for line in lines if line]
    if status < 0:
        return f"The process was ended by signal {-status}; it may have needed too much memory."
    if not lines:
        return f"The process ended with status {status}."
    reason = lines[-1].replace("|", "/")
    return reason if len(reason) <= 300 else f"{reason[:297]}..."
