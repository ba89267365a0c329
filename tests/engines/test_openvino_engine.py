"""OpenVINO's graph: kept compiled, never believed unchecked, and not taken through a fork."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import mintad
from mintad.bundle import INSPECTION_OUTPUTS
from mintad.engines import OpenVinoEngine
from mintad.errors import BundleError
from mintad.system import openvino_runtime

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
UNKNOWN = np.full(3, -1)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path))
    return tmp_path / "compiled"


@pytest.fixture
def graph(exported_run: Path) -> Path:
    return mintad.load(exported_run).file("model.xml")


def scores(graph: Path) -> list[float]:
    engine = OpenVinoEngine(graph, INSPECTION_OUTPUTS)
    return [float(score) for score in engine.predict(IMAGES, UNKNOWN).raw_score]


def test_the_second_start_compiles_nothing(
    graph: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scores(graph)

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(openvino_runtime, "compile_model", refuse)
    assert scores(graph) == first
    with pytest.raises(AssertionError):  # other outputs, another graph
        OpenVinoEngine(graph, INSPECTION_OUTPUTS[:2])


def test_damage_in_the_cache_never_moves_a_score(graph: Path, kept: Path) -> None:
    first = scores(graph)
    (file,) = kept.iterdir()
    whole = file.read_bytes()
    draw = random.Random(0)
    for _ in range(12):
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 8, 1000])):
            damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        content = bytes(damaged[: draw.choice([len(whole), len(whole) // 2])])
        file.write_bytes(content)
        assert scores(graph) == first
        assert file.read_bytes() != content  # compiled anew, and kept


def test_a_graph_that_is_none_is_named(tmp_path: Path, kept: Path) -> None:
    (tmp_path / "model.xml").write_text("no graph", encoding="utf-8")
    for name in ("model.xml", "nowhere.xml"):
        with pytest.raises(BundleError, match=name):
            scores(tmp_path / name)


def run_python(code: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


INSPECT = """
import sys
import numpy as np
from mintad.inspection import Inspector

images = [np.full((64, 64, 3), grey, np.uint8) for grey in (0, 100, 200)]
print([inspection.raw_score for inspection in Inspector(sys.argv[1])(images)])
"""


@pytest.mark.slow
def test_many_may_start_side_by_side_without_a_cache(exported_run: Path, kept: Path) -> None:
    started = [run_python(INSPECT, exported_run) for _ in range(8)]
    answers = [process.communicate(timeout=300) for process in started]
    assert {out for out, _ in answers} == {answers[0][0]}, answers
    assert answers[0][0]
    assert len(list(kept.iterdir())) == 1


FORK = """
import os
import sys

import mintad

run = sys.argv[1]
images = [os.path.join(sys.argv[2], name) for name in ("000.png", "001.png")]
inspector = mintad.Inspector(run, batch_size=int(sys.argv[3]))
expected = [inspection.score for inspection in inspector(images)]
child = os.fork()
if child == 0:
    for attempt in (lambda: list(inspector(images)), lambda: mintad.Inspector(run)):
        try:
            attempt()
        except mintad.MintadError as error:
            assert "in each process" in error.mend
        else:
            os._exit(7)
    del inspector  # nobody waits for its threads
    sys.exit(5)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
assert [inspection.score for inspection in inspector(images)] == expected
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("batch_size", [1, 16])
def test_a_fork_is_refused_at_once_and_ends(
    batch_size: int, exported_run: Path, tree: Path, kept: Path
) -> None:
    process = run_python(FORK, exported_run, tree / "blobs" / "test" / "good", batch_size)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
