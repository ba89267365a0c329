from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from mintad.bundle import Bundle, GraphEntry, RawPrediction, load
from mintad.engines import (
    choice,
    default_engine,
    engine_names,
    open_engine,
    register_engine,
    registry,
    resolve_engine,
)
from mintad.engines.deviation import deviation, macro_auroc
from mintad.errors import BundleError, ConfigError, MissingExtraError
from mintad.inspection import Inspector


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def images(tree: Path) -> list[Path]:
    return sorted(tree.glob("*/test/*/*.png"))


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_an_inspector_without_torch_gives_what_torch_gives(
    engine: str, exported_run: Path, images: list[Path]
) -> None:
    expected = Inspector(exported_run, engine="torch")(images)
    inspections = Inspector(exported_run, engine=engine)(images)
    for right, other in zip(expected, inspections, strict=True):
        assert (right.name, right.product, right.size) == (other.name, other.product, other.size)
        assert other.raw_score == pytest.approx(right.raw_score, rel=1e-4)
        assert right.anomaly_map is not None
        tolerance = 1e-4 * float(np.abs(right.anomaly_map).max())
        np.testing.assert_allclose(other.anomaly_map, right.anomaly_map, atol=tolerance)


@pytest.mark.parametrize("engine", ["openvino:float32", "openvino"])
def test_openvino_gives_the_same_bits_whatever_the_batch(
    engine: str, exported_run: Path, images: list[Path]
) -> None:
    scores = [
        [
            result.raw_score
            for result in Inspector(exported_run, engine=engine, batch_size=n)(images)
        ]
        for n in (2, 5, 16)
    ]
    assert scores[0] == scores[1] == scores[2]


def test_the_default_is_openvino_where_there_is_a_graph(exported_run: Path, run: Path) -> None:
    assert default_engine(load(exported_run)) == "openvino"
    assert default_engine(load(run)) == "torch"


def test_without_graph_and_torch_the_error_says_what_to_do(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda _: None)
    with pytest.raises(BundleError, match="mintad export"):
        default_engine(load(run))
    with pytest.raises(MissingExtraError, match=r"mintad\[onnx\]"):
        open_engine(load(run), "onnx")


def test_a_graph_that_the_bundle_has_not_is_named(exported_run: Path) -> None:
    with pytest.raises(BundleError, match=r"no openvino graph in int8.*openvino:float32"):
        open_engine(load(exported_run), "openvino:int8")
    with pytest.raises(ConfigError, match="runs in float32"):
        open_engine(load(exported_run), "torch:int8")


BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm", "lightning", "onnx", "nncf"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
import mintad

for result in mintad.Inspector(sys.argv[1])(sys.argv[2:]):
    assert result.error is None
    print(result.product, result.score)
assert "torch" not in sys.modules
"""


def test_torch_is_never_imported(exported_run: Path, images: list[Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(exported_run), *map(str, images[:2])],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    inspections = Inspector(exported_run)(images[:2])
    expected = [f"{inspection.product} {inspection.score}" for inspection in inspections]
    assert done.stdout.split("\n")[:-1] == expected


def test_damaged_inputs_in_the_stream_get_an_error_and_it_goes_on(
    exported_run: Path, images: list[Path], tmp_path: Path
) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(images[0].read_bytes()[:200])
    huge = np.broadcast_to(np.zeros(3, np.uint8), (20_000, 20_000, 3))
    inputs = [images[0], cut, np.zeros((0, 8, 3), np.uint8), huge, np.zeros((8, 8, 5), np.uint8)]
    inspector = Inspector(exported_run, engine="openvino", batch_size=2)
    results = list(inspector([*inputs, images[1], images[0]]))  # type: ignore[list-item]
    assert [result.error is None for result in results] == [True, *[False] * 4, True, True]
    assert results[0].raw_score == results[-1].raw_score


def test_an_endless_stream_is_read_a_bounded_way_ahead(exported_run: Path) -> None:
    taken = 0

    def camera() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        while True:
            taken += 1
            yield np.full((8, 8, 3), taken % 255, np.uint8)

    stream = Inspector(exported_run, engine="openvino", batch_size=4)(camera())
    for count, _ in enumerate(itertools.islice(stream, 100), start=1):
        assert taken <= count + 4 * 5


def test_one_image_is_answered_at_once(exported_run: Path, images: list[Path]) -> None:
    inspector = Inspector(exported_run, engine="openvino", batch_size=1)
    assert inspector.one(images[0]) == pytest_equal(next(iter(inspector([images[0]]))))
    with pytest.raises(ConfigError, match="bolt"):
        inspector.one(images[0], "bolt")


class pytest_equal:  # noqa: N801
    def __init__(self, expected: object) -> None:
        self.expected = expected

    def __eq__(self, other: object) -> bool:
        fields = ("name", "product", "raw_score", "score", "size", "box", "error")
        return all(getattr(self.expected, name) == getattr(other, name) for name in fields)

    __hash__ = None  # type: ignore[assignment]


def test_the_fastest_engine_is_measured_once(
    exported_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"openvino:float32": 10.0, "onnx:float32": 20.0}
    measured: list[str] = []

    def rate(_: object, name: str, live: bool, seconds: float) -> float:
        measured.append(name)
        return rates[name]

    monkeypatch.setattr(choice, "_rate", rate)
    bundle = load(exported_run)
    assert [choice.fastest_engine(bundle) for _ in range(2)] == ["onnx:float32"] * 2
    assert sorted(measured) == sorted(rates)
    assert choice.fastest_engine(bundle, live=True) == "onnx:float32"
    assert len(measured) == 4
    assert type(open_engine(bundle, "auto")).__name__ == "OnnxEngine"


def with_graphs(bundle: Bundle, *graphs: GraphEntry) -> Bundle:
    return Bundle(bundle.path, bundle.manifest.model_copy(update={"graphs": graphs}))


@pytest.mark.parametrize(
    ("loss", "shift", "faithful"),
    [(0.002, 0.01, True), (0.05, 0.0, False), (0.0, 0.12, False), (-0.1, 0.0, True)],
)
def test_a_precision_that_loses_too_much_or_moves_scores_takes_no_part(
    exported_run: Path, loss: float, shift: float, faithful: bool
) -> None:
    bundle = load(exported_run)
    exact = bundle.manifest.graph("openvino", "float32")
    assert exact is not None
    rough = exact.model_copy(
        update={"precision": "int8", "auroc_change": -loss, "score_deviation": shift}
    )
    two = with_graphs(bundle, exact, rough)
    assert engine_names(two) == ["openvino:float32", "openvino:int8", "torch:float32"]
    assert engine_names(two, graphs=True) == ["openvino:float32", "openvino:int8"]
    chosen = ["openvino:float32", *(["openvino:int8"] if faithful else [])]
    assert engine_names(two, graphs=True, faithful=True) == chosen


def test_auto_says_what_it_chose(exported_run: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = load(exported_run)
    (exact,) = [entry for entry in bundle.manifest.graphs if entry.format == "openvino"]
    assert resolve_engine(with_graphs(bundle, exact), "auto") == "openvino:float32"
    assert "The engine auto is openvino:float32" in caplog.text
    assert resolve_engine(bundle) == "openvino:float32"
    assert resolve_engine(bundle, "onnx") == "onnx:float32"
    with pytest.raises(ConfigError, match="abacus"):
        resolve_engine(bundle, "abacus")


@pytest.mark.parametrize("engine", ["openvino", "onnx", "torch"])
def test_an_inspector_opens_its_bundle_in_another_process(
    engine: str, exported_run: Path, images: list[Path]
) -> None:
    inspector = Inspector(exported_run, engine=engine, batch_size=3, max_pixels=48 * 64)
    other = pickle.loads(pickle.dumps(inspector))
    assert other.engine_name == inspector.engine_name == f"{engine}:float32"
    assert other.batch_size == 3
    assert [result.score for result in other(images)] == [
        result.score for result in inspector(images)
    ]
    assert other.one(np.zeros((48, 65, 3), np.uint8)).error is not None


def test_an_engine_is_added_by_one_registration(
    exported_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry._ENGINES, "_entries", registry.list_engines())

    @register_engine("constant", package="numpy")
    class Constant:
        def __init__(self, bundle: Bundle, precision: str, *, live: bool) -> None:
            self.size = bundle.manifest.preprocessing.height
            self.products = len(bundle.manifest.products)

        def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
            maps = np.ones((len(images), self.size, self.size), np.float32)
            return RawPrediction(maps, maps[:, 0, 0], np.zeros((len(images), self.products)))

    assert "constant:float32" in engine_names(load(exported_run))
    (result,) = Inspector(exported_run, engine="constant")([np.zeros((8, 8, 3), np.uint8)])
    assert result.raw_score == 1


def test_a_bundle_whose_export_was_cut_short_says_so(
    run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = load(run)
    assert default_engine(bundle) == "torch"
    assert caplog.text == ""
    recipe = bundle.manifest.recipe | {"export": True}
    unfinished = Bundle(bundle.path, bundle.manifest.model_copy(update={"recipe": recipe}))
    assert default_engine(unfinished) == "torch"
    assert "mintad export" in caplog.text


def test_a_deviation_is_relative_to_the_map_and_the_score() -> None:
    maps = np.ones((2, 3, 3), np.float32)
    logits = np.eye(2, dtype=np.float32)
    reference = RawPrediction(maps * 4, np.array([4.0, 2.0], np.float32), logits)
    moved = maps * 4
    moved[1, 0, 0] += 1
    other = RawPrediction(moved, np.array([4.0, 2.5], np.float32), logits[::-1])
    largest = deviation(reference, other)
    assert largest == (0.25, 0.25, 0.0)
    assert not largest.tolerable
    assert deviation(reference, reference).tolerable
    broken = RawPrediction(maps * np.nan, reference.raw_score, logits)
    assert not deviation(reference, broken).tolerable


def test_macro_auroc_is_the_mean_over_products_with_both_labels() -> None:
    scores = np.array([0.1, 0.9, 0.9, 0.1, 0.5])
    labels = np.array([0, 1, 0, 1, 0])
    assert macro_auroc(scores, labels, ["a", "a", "b", "b", "c"]) == 0.5
    assert macro_auroc(scores[:1], labels[:1], ["a"]) is None
