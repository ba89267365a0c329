"""`python -m mintad_lab.peers.worker FOLDER`: one peer in a process of its own.

FOLDER holds `job.pickle`, written by `mintad-lab bench`; the outcome goes beside it.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from mintad_lab.peers.process import finish, read_job


def main(folder: Path) -> None:
    """Runs the job and writes its outcome."""
    job = read_job(folder)
    if not job["download"]:
        _stay_offline()
    try:
        from mintad_lab.peers.measuring import run_peer

        outcome = run_peer(job["peer"], job["dataset"], separate=job["separate"], seed=job["seed"])
    except ModuleNotFoundError as error:
        outcome = {"not_run": f"{error.name} is not installed: pip install 'mintad[bench]'."}
    except OSError as error:
        if job["download"]:
            raise
        outcome = {"not_run": f"Its weights are not at hand, and --download was not given. {error}"}
        outcome["not_run"] = outcome["not_run"].partition("\n")[0][:300]
    finish(folder, outcome)


def _stay_offline() -> None:
    """Makes every attempt to fetch something fail at once."""
    os.environ["HF_HUB_OFFLINE"] = "1"

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError("weights are not at hand, and nothing is fetched without --download")

    socket.getaddrinfo = refuse
    socket.create_connection = refuse


if __name__ == "__main__":
    main(Path(sys.argv[1]))
