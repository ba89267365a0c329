"""What a run is made with: the versions of the packages and the state of the source."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mintad


def package_versions() -> dict[str, str]:
    """The versions of mintad, Python and the packages that a number depends on."""
    versions = {"mintad": mintad.__version__, "python": platform.python_version()}
    for package in ("torch", "timm", "lightning", "numpy", "pillow"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def git_state() -> str | None:
    """What `git describe` says of mintad's own source; None where this is no checkout of it.

    Nothing that a repository's settings name is run: neither hooks nor monitors.
    """
    root = Path(__file__).parents[3]
    if not (root / ".git").exists() or Path(__file__).parents[2].name != "src":
        return None
    command = ["git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"]
    try:
        result = subprocess.run(
            [*command, "describe", "--always", "--dirty"],
            cwd=root,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
