"""What a run says of the source it was made with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mintad

CODE = "from mintad.system.provenance import git_state; print(git_state())"


def state(site: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_repository_around_an_environment_is_not_ours(tmp_path: Path) -> None:
    """And none of its settings is run."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "theirs"], check=True)
    package = Path(mintad.__file__).parent
    for place in ("environment/site-packages", "src"):
        shutil.copytree(package / "system", tmp_path / place / "mintad" / "system")
        for name in ("__init__.py", "errors.py", "lazy.py"):
            if (package / name).is_file():
                shutil.copy(package / name, tmp_path / place / "mintad" / name)
    assert state(tmp_path / "environment" / "site-packages") == "None"
    harm = tmp_path / "harm.sh"
    harm.write_text(f"#!/bin/sh\ntouch {tmp_path / 'done'}\n", encoding="utf-8")
    harm.chmod(0o755)
    subprocess.run([*git, "config", "core.fsmonitor", str(harm)], check=True)
    own = state(tmp_path / "src")  # where it is a checkout of mintad
    assert len(own.removesuffix("-dirty")) >= 7
    assert not (tmp_path / "done").exists()
