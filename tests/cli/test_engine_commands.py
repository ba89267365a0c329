from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from mintad.bundle import Bundle, RawPrediction, load
from mintad.engines import Engine, open_engine, parity

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path / "cache"))


def test_parity_holds_and_is_written(
    command: Command, exported_run: Path, tree: Path, tmp_path: Path
) -> None:
    file = tmp_path / "parity.json"
    status, out, err = command("parity", exported_run, tree, "--json", file)
    assert status == 0, err
    assert "16 images, compared with torch" in out
    content = json.loads(file.read_text(encoding="utf-8"))
    assert {row["engine"] for row in content["engines"]} == {"openvino:float32", "onnx:float32"}
    for row in content["engines"]:
        assert row["within"]
        assert 0 < row["deviation"]["map"] < 1e-3
        assert row["auroc_change"] == pytest.approx(0, abs=0.02)


def test_parity_fails_where_an_engine_says_something_else(
    command: Command, exported_run: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Off:
        def __init__(self, right: Engine) -> None:
            self.right = right

        def predict(self, images: np.ndarray, products: np.ndarray) -> RawPrediction:
            raw = self.right.predict(images, products)
            return raw._replace(anomaly_map=raw.anomaly_map * 1.01)

    def opened(bundle: Bundle, name: str) -> Engine:
        engine = open_engine(bundle, name)
        return Off(engine) if name == "onnx:float32" else engine

    monkeypatch.setattr(parity, "open_engine", opened)
    status, out, _ = command("parity", exported_run, tree, "--most", 4)
    assert status == 1
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "out of tolerance" in lines["onnx:float32"]
    assert "out of tolerance" not in lines["openvino:float32"]


def test_parity_needs_two_engines(command: Command, run: Path, tree: Path) -> None:
    status, _, err = command("parity", run, tree)
    assert status == 2
    assert "mintad export" in err


def test_speed_measures_each_engine_apart(command: Command, exported_run: Path) -> None:
    status, out, err = command(
        "speed", exported_run, "--seconds", 0.1, "--engine", "openvino:float32", "--json"
    )
    assert status == 0, err
    (row,) = json.loads(out)
    assert row["engine"] == "openvino:float32"
    assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
    assert row["images_per_second"] > 0
    assert row["memory_mb"] is None or row["memory_mb"] > 20


def test_speed_says_why_an_engine_does_not_run(command: Command, exported_run: Path) -> None:
    status, _, err = command("speed", exported_run, "--engine", "openvino:int8")
    assert status == 2
    assert "openvino:int8" in err


def test_export_adds_graphs_to_a_bundle(
    command: Command, exported_run: Path, tree: Path, tmp_path: Path
) -> None:
    shutil.copytree(exported_run, tmp_path / "run")
    status, out, err = command("export", tmp_path / "run", "--data", tree)
    assert status == 0, err
    assert "openvino:float32  model.xml" in out
    manifest = load(tmp_path / "run").manifest
    assert [(entry.format, entry.precision) for entry in manifest.graphs] == [
        ("onnx", "float32"),
        ("openvino", "float32"),
    ]


@pytest.mark.slow
def test_a_disk_that_is_full_for_the_graph_costs_it_until_the_next_start(
    command: Command, tree: Path, tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    words = ("train", tree, "--recipe", tiny_recipe, "--out", tmp_path / "run")
    words += ("--set", "export=true", "--set", "training.epochs=1")
    with monkeypatch.context() as patch:
        patch.setattr("mintad.exporting.graphs.write_onnx", full)
        status, _, err = command(*words)
    assert status == 2
    assert "finished but for its graph" in err
    assert load(tmp_path / "run").manifest.graphs == ()
    status, _, err = command(*words, "--resume")
    assert status == 0, err
    assert load(tmp_path / "run").manifest.graph("openvino", "float32") is not None


def test_export_without_known_products_is_refused(
    command: Command, run: Path, tmp_path: Path, tree: Path
) -> None:
    shutil.copytree(tree / "blobs", tmp_path / "data" / "bolt")
    status, _, err = command("export", run, "--data", tmp_path / "data")
    assert status == 2
    assert "no good training image" in err
