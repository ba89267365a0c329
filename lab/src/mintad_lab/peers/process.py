"""A job in a process of its own: what goes in, what comes out, and what it cost."""

from __future__ import annotations

import json
import os
import pickle
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mintad
from mintad.system.files import write_bytes, write_json
from mintad.system.processor import measured_on

JOB_FILE = "job.pickle"
OUTCOME_FILE = "outcome.json"
LOG_FILE = "log.txt"
PACKAGES = ("mintad", "torch", "timm", "numpy", "lightning", "anomalib")


def run_process(
    module: str, folder: Path, job: dict[str, Any], python: Path | None = None
) -> dict[str, Any]:
    """What `python -m module folder` made of a job: its outcome, or `{"not_run": why}`.

    Everything it prints goes to `folder/log.txt`.
    """
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
            outcome: dict[str, Any] = json.loads(
                (folder / OUTCOME_FILE).read_text(encoding="utf-8")
            )
            return outcome
    except OSError as error:
        return {"not_run": f"{command[0]} could not be started: {error}."}
    finally:
        for name in (JOB_FILE, OUTCOME_FILE):
            (folder / name).unlink(missing_ok=True)
    return {"not_run": _reason(folder / LOG_FILE, done.returncode)}


def read_job(folder: Path) -> Any:
    """The job in `folder`, as `run_process` wrote it."""
    return pickle.loads((folder / JOB_FILE).read_bytes())


def finish(folder: Path, outcome: dict[str, Any]) -> None:
    """Writes the outcome, with what this process cost and what it ran on."""
    write_json(
        folder / OUTCOME_FILE,
        {
            **outcome,
            "peak_megabytes": peak_megabytes(),
            "versions": _versions(),
            "machine": measured_on(),
        },
    )


def peak_megabytes() -> float | None:
    """The most memory this process ever had, in MB; None where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | {"mintad": mintad.__version__}


def _environment(python: Path | None) -> dict[str, str]:
    """Lets another Python find this mintad where it runs from its source."""
    environment = dict(os.environ)
    home = Path(mintad.__file__).parents[1]
    if python is not None and home.name != "site-packages":
        paths = [str(home), environment.get("PYTHONPATH", "")]
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
