"""What a run is made with: the versions of the packages and the state of the source."""

from __future__ import annotations

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
    """What `git describe` says of the source; None where it is in no repository."""
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
