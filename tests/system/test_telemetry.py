"""No command sends anything, nor leaves anything in the home folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WATCH = """
import os, socket

def refuse(*arguments, **_):
    with open(os.environ["ATTEMPTS"], "a") as file:
        print(arguments[-2:], file=file)
    raise OSError("there is no network")

socket.getaddrinfo = refuse
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
"""

COMMANDS = """
import sys

import mintad
from mintad.cli import main

run, data, recipe, out = sys.argv[1:]
image = f"{data}/blobs/test/good/000.png"
for words in (
    ["train", data, "--recipe", recipe, "--out", f"{out}/run", "--set", "export=true"],
    ["export", f"{out}/run", "--data", data, "--to", "openvino", "--to", "onnx"],
    ["evaluate", run, data],
    ["inspect", run, image, "--out", f"{out}/heatmaps"],
    ["report", run, data, "--out", f"{out}/report.html"],
    ["parity", run, data, "--most", "4"],
    ["speed", run, "--seconds", "0.1", "--engine", "openvino"],
):
    sys.argv = ["mintad", *words]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, words
assert "openvino" in sys.modules
assert not any(name.startswith("openvino_telemetry.") for name in sys.modules)
"""

QUANTISING = """
import mintad
import nncf
from nncf.telemetry.wrapper import NNCFTelemetry, telemetry

assert not isinstance(telemetry, NNCFTelemetry)
"""

OPENVINO_FIRST = """
import os
import time

import openvino
from openvino_telemetry import Telemetry

telemetry = Telemetry()
while telemetry.sender.queue_size:  # its own import is heard
    time.sleep(0.01)
open(os.environ["ATTEMPTS"], "w").close()
import mintad

telemetry.send_event("category", "action", "label")
telemetry.force_shutdown(1.0)
"""


@pytest.fixture
def attempts(tmp_path: Path) -> Path:
    """Where processes that are watched note that they asked for the network."""
    (tmp_path / "site").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    file = tmp_path / "attempts"
    file.touch()
    return file


def run_watched(code: str, attempts: Path, *words: object) -> None:
    """Runs Python without a network, in an empty home folder."""
    place = attempts.parent
    told = ("CI", "ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")
    environment = {name: value for name, value in os.environ.items() if name not in told} | {
        "HOME": str(place / "home"),
        "MINTAD_CACHE": str(place / "cache"),
        "MPLCONFIGDIR": str(place / "matplotlib"),
        "ATTEMPTS": str(attempts),
        "PYTHONPATH": os.pathsep.join([str(place / "site"), *sys.path]),
    }
    command = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_no_command_asks_for_the_network_or_writes_into_the_home_folder(
    attempts: Path, exported_run: Path, tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run_watched(COMMANDS, attempts, exported_run, tree, tiny_recipe, tmp_path)
    assert attempts.read_text(encoding="utf-8") == ""
    assert list((tmp_path / "home").iterdir()) == []


def test_quantising_sends_nothing(attempts: Path) -> None:
    pytest.importorskip("nncf")
    run_watched(QUANTISING, attempts)
    assert attempts.read_text(encoding="utf-8") == ""


def test_whoever_imports_openvino_first_is_not_heard_either(attempts: Path) -> None:
    run_watched(OPENVINO_FIRST, attempts)
    assert attempts.read_text(encoding="utf-8") == ""
