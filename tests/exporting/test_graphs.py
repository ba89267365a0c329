from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import mintad
from mintad.bundle import Bundle, RawPrediction, load
from mintad.engines import OnnxEngine, OpenVinoEngine, open_engine
from mintad.engines.deviation import TOLERANCE, deviation
from mintad.errors import BundleError, ConfigError, StorageError
from mintad.exporting import (
    CalibrationImages,
    calibration_images,
    export_bundle,
    export_trained,
    graphs,
    quantise,
)
from mintad.exporting.damage import damaged
from mintad.system.processor import has_bfloat16

Images = NDArray[np.uint8]
Numbers = NDArray[np.int64]
CLOSED_FORM = {"switches.start": "subspaces", "switches.rank": 4, "switches.code": 16}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path / "cache"))


def written_already(bundle: Path) -> Callable[[object, Path], tuple[str, ...]]:
    """What `write_onnx` does, from the graph that a bundle holds."""
    outputs = load(bundle).manifest.graphs[0].outputs

    def copy(_: object, file: Path) -> tuple[str, ...]:
        shutil.copy(load(bundle).file("model.onnx"), file)
        return outputs

    return copy


@pytest.fixture(scope="module")
def good(tree: Path, run: Path) -> CalibrationImages:
    return calibration_images(load(run).manifest, mintad.read(tree), most=8)


@pytest.mark.slow
def test_both_graphs_of_a_bundle_agree_with_torch(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path, good: CalibrationImages
) -> None:
    overrides = CLOSED_FORM | {"training.epochs": 1}
    bundle = mintad.train(
        tree, tmp_path / "run", recipe=tiny_recipe, cache=cache, overrides=overrides
    )
    exported = export_bundle(bundle, good, formats=["openvino", "onnx"])
    assert [(entry.format, entry.precision) for entry in exported.manifest.graphs] == [
        ("onnx", "float32"),
        ("openvino", "float32"),
    ]
    assert {"model.onnx", "model.xml", "model.bin"} <= set(exported.manifest.files)
    assert load(bundle.path).manifest == exported.manifest
    products = good.given(bundle.manifest.model.needs_product)
    reference = open_engine(bundle, "torch")
    for format, engine_class in (("onnx", OnnxEngine), ("openvino", OpenVinoEngine)):
        entry = exported.manifest.graph(format, "float32")  # type: ignore[arg-type]
        assert entry is not None
        engine = engine_class(exported.file(entry.file), entry.outputs)
        for batch in (1, 3, 8):
            expected = reference.predict(good.images[:batch], products[:batch])
            answer = engine.predict(good.images[:batch], products[:batch])
            assert deviation(expected, answer).tolerable
            assert deviation(expected, answer).products == 1
            for right, field in zip(expected[2:], answer[2:], strict=True):
                assert (right is None) == (field is None)
                if right is not None and field is not None:
                    np.testing.assert_allclose(field, right, rtol=2e-3, atol=2e-3)
    assert "class_token" in entry.outputs


def test_a_named_product_is_taken_by_the_graph(exported_run: Path, good: CalibrationImages) -> None:
    bundle = load(exported_run)
    reference, engine = open_engine(bundle, "torch"), open_engine(bundle, "openvino")
    other = 1 - good.products
    right = engine.predict(good.images, good.products)
    wrong = engine.predict(good.images, other)
    assert (wrong.raw_score > 1.5 * right.raw_score).all()
    assert deviation(reference.predict(good.images, other), wrong).tolerable


def test_the_manifest_says_how_far_the_graph_is_from_torch(exported_run: Path) -> None:
    for entry in load(exported_run).manifest.graphs:
        assert 0 < entry.map_deviation < TOLERANCE
        assert 0 <= entry.score_deviation < TOLERANCE
        assert entry.images == 20
        assert entry.outputs == ("anomaly_map", "raw_score", "product_logits")


def test_a_graph_that_says_something_else_is_not_accepted(
    exported_run: Path,
    good: CalibrationImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = Path(shutil.copytree(exported_run / "bundle", tmp_path / "bundle"))
    before = load(copy).manifest

    class Off(OpenVinoEngine):
        def predict(self, images: Images, products: Numbers) -> RawPrediction:
            raw = super().predict(images, products)
            return raw._replace(raw_score=raw.raw_score * np.linspace(1, 1.01, len(images)))

    monkeypatch.setattr(graphs, "write_onnx", written_already(copy))
    monkeypatch.setattr(graphs, "OpenVinoEngine", Off)
    with pytest.raises(BundleError, match="differs from torch"):
        export_bundle(load(copy), good)
    assert load(copy).manifest == before


def test_what_cannot_be_exported_keeps_torch_and_says_why(
    run: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(run / "bundle", tmp_path / "bundle"))

    def refuse(*_: object, **__: object) -> Bundle:
        raise ConfigError("This method thinks for itself.", "Let it.")

    monkeypatch.setattr(graphs, "export_bundle", refuse)
    bundle = export_trained(load(copy), mintad.read(tree).train)
    assert bundle.manifest.graph_problem == "This method thinks for itself."
    assert bundle.manifest.graphs == ()
    assert load(copy).manifest == bundle.manifest
    open_engine(bundle)


def test_a_full_disk_costs_no_graph_for_good(
    run: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(run / "bundle", tmp_path / "bundle"))
    before = load(copy).manifest
    usage = shutil.disk_usage(copy)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    with pytest.raises(StorageError, match="disk is full"):
        export_trained(load(copy), mintad.read(tree).train)
    monkeypatch.undo()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(graphs, "write_onnx", full)
    with pytest.raises(StorageError, match="disk is full"):
        export_trained(load(copy), mintad.read(tree).train)
    assert load(copy).manifest == before
    assert [file.name for file in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
def test_the_loss_of_bfloat16_is_measured_and_float32_needs_none(
    exported_run: Path, good: CalibrationImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(exported_run / "bundle", tmp_path / "bundle"))
    monkeypatch.setattr(graphs, "write_onnx", written_already(exported_run / "bundle"))
    bundle = export_bundle(load(copy), good, precisions=["bfloat16"])
    exact = bundle.manifest.graph("openvino", "float32")
    short = bundle.manifest.graph("openvino", "bfloat16")
    assert exact is not None
    assert short is not None
    assert exact.auroc_change is None
    assert short.file == exact.file
    assert short.auroc is not None
    assert short.auroc_change is not None
    assert 0 < short.auroc <= 1
    assert abs(short.auroc_change) < 0.2
    assert exact.map_deviation < short.map_deviation < 0.2


@pytest.mark.slow
def test_int8_is_quantised_and_measured(
    exported_run: Path, good: CalibrationImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf")
    copy = Path(shutil.copytree(exported_run / "bundle", tmp_path / "bundle"))
    monkeypatch.setattr(graphs, "write_onnx", written_already(copy))
    bundle = export_bundle(load(copy), good, precisions=["int8"])
    entry = bundle.manifest.graph("openvino", "int8")
    assert entry is not None
    assert entry.auroc_change is not None
    assert "FakeQuantize" in bundle.file(entry.file).read_text(encoding="utf-8")
    answer = open_engine(load(copy), "openvino:int8").predict(good.images, good.products)
    expected = open_engine(load(copy), "openvino").predict(good.images, good.products)
    assert 0 < deviation(expected, answer).map < 1


@pytest.mark.slow
def test_layers_go_back_to_float32_where_int8_costs_too_much(
    exported_run: Path, good: CalibrationImages, tmp_path: Path
) -> None:
    pytest.importorskip("nncf")
    source, products = load(exported_run).file("model.xml"), good.given(False)
    bad = damaged(good.images)
    exact = OpenVinoEngine(source, load(exported_run).manifest.graphs[0].outputs)
    expected = exact.predict(np.concatenate([good.images, bad]), np.tile(products, 2)).raw_score

    def quantised(largest_loss: float) -> int:
        def likeness(scores: NDArray[np.float32]) -> float:
            return 1 - float(np.abs(scores / expected - 1).mean())

        target = tmp_path / "int8.xml"
        quantise.write_int8(source, target, good.images, bad, products, likeness, largest_loss)
        return target.read_text(encoding="utf-8").count('type="FakeQuantize"')

    assert quantised(1e-9) < quantised(10.0)


def test_damage_is_in_one_place_and_the_same_every_time(good: CalibrationImages) -> None:
    once = damaged(good.images)
    assert np.array_equal(once, damaged(good.images))
    changed = (once != good.images).any(axis=3).mean(axis=(1, 2))
    assert ((changed > 0) & (changed < 0.2)).all()


def test_calibration_images_are_even_over_products(tree: Path, run: Path) -> None:
    chosen = calibration_images(load(run).manifest, mintad.read(tree), most=8)
    assert np.bincount(chosen.products).tolist() == [4, 4]
    assert chosen.images.shape == (8, 64, 64, 3)
    assert np.array_equal(chosen.given(True), chosen.products)
    assert (chosen.given(False) == -1).all()


def test_training_ends_with_the_export_and_a_resumed_run_makes_up_for_it(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def stopped(bundle: Bundle, _: object) -> Bundle:
        asked.append(bundle.path)
        raise KeyboardInterrupt

    monkeypatch.setattr("mintad.training.run.export_trained", stopped)
    out = tmp_path / "run"
    for resume in (False, True):
        with pytest.raises(KeyboardInterrupt):
            mintad.train(
                tree,
                out,
                recipe=tiny_recipe,
                cache=cache,
                overrides={"export": True, "training.epochs": 1},
                resume=resume,
            )
    assert asked == [out / "bundle"] * 2
    plain = mintad.train(
        tree, tmp_path / "plain", recipe=tiny_recipe, cache=cache, overrides={"training.epochs": 1}
    )
    assert plain.manifest.graphs == ()
