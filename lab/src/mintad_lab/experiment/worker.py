"""`python -m mintad_lab.experiment.worker FOLDER`: one run in a process of its own.

FOLDER holds the job; the outcome goes beside it.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from mintad_lab.experiment.process import Job, finish, read_job


def main(folder: Path) -> None:
    """Runs the job and writes its outcome."""
    job: Job = read_job(folder)
    if job.row.peer is not None and not job.download:
        _stay_offline()
    try:
        from mintad_lab.experiment.measuring import run_row

        outcome = run_row(job)
    except (ModuleNotFoundError, OSError) as error:
        if job.row.peer is None or (job.download and isinstance(error, OSError)):
            raise
        outcome = {"not_run": _why(error)}
    finish(folder, outcome)


def _why(error: ModuleNotFoundError | OSError) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed: pip install 'mintad-lab[peers]'."
    reason = f"Its weights are not at hand, and --download was not given. {error}"
    return reason.partition("\n")[0][:300]


def _stay_offline() -> None:
    """Makes every attempt to fetch something fail at once."""
    os.environ["HF_HUB_OFFLINE"] = "1"

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError("weights are not at hand, and nothing is fetched without --download")

    socket.getaddrinfo = refuse
    socket.create_connection = refuse


if __name__ == "__main__":
    main(Path(sys.argv[1]))
