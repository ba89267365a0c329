"""What several benchmarks need: their options, a process for each measurement, a table."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import mintad
from mintad.bundle import Bundle
from mintad.demo import make_demo_data
from mintad.system import measured_on, package_versions, write_json, write_text

RUNS = Path("runs")


def options_of(description: str | None) -> argparse.ArgumentParser:
    """A parser that says what the script's docstring begins with."""
    return argparse.ArgumentParser(description=(description or "").partition("\n")[0])


def apart(script: str, *words: object) -> dict[str, Any]:
    """What `script` prints as JSON in its last line, called with `words` in its own process.

    Raises `CalledProcessError` where it fails.
    """
    command = [sys.executable, script, *map(str, words)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def write_results(name: str, content: dict[str, Any], table: str, out: Path | None = None) -> None:
    """Prints the table, and writes it beside all numbers into `out` (default: `runs/NAME`)."""
    out = out or RUNS / name
    about = {"machine": measured_on(), "versions": package_versions()}
    write_json(out / f"{name}.json", content | about)
    write_text(out / f"{name}.md", table)
    print(table)


def peak_memory() -> int:
    """The most memory that this process has had so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def demo_data() -> Path:
    """The images of `mintad demo`, for a benchmark that is given none."""
    make_demo_data(RUNS / "demo-data")
    return RUNS / "demo-data"


def open_bundle(path: Path | None) -> Bundle:
    """The bundle at `path`, or one of the recipe `fast` on the demo's images, made once."""
    if path is not None:
        return mintad.load(path)
    run = RUNS / "bundle-fast"
    if (run / "bundle" / "manifest.json").is_file():
        return mintad.load(run)
    return mintad.train(demo_data(), run, recipe="fast")


class Stopwatch:
    """Adds up the seconds of all `with` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.seconds += time.perf_counter() - self._start
