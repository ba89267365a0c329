"""What the process of a run does: training, resuming, measuring from the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

pytest.importorskip("torch")
import mintad
from mintad.data import Dataset, read
from mintad.inspection import Inspector
from mintad.metrics import evaluate
from mintad.training import fitting
from mintad_lab.experiment.measuring import cached_inspector, drop_bundles, run_row
from mintad_lab.experiment.process import Job
from mintad_lab.experiment.table import Row

pytestmark = pytest.mark.filterwarnings("ignore:The backbone .* has random weights")


class StopAfterAnEpoch(fitting.SaveEachEpoch):
    """Stops the run once its first epoch is saved, as Ctrl-C would."""

    def on_train_epoch_end(self, trainer: Any, module: object) -> None:
        super().on_train_epoch_end(trainer, module)
        raise KeyboardInterrupt


def nearly(metrics: dict[str, Any]) -> Any:
    """The same metrics up to what features in half precision change."""
    return pytest.approx(metrics, abs=2e-3)


def only(dataset: Dataset, product: str) -> Dataset:
    return dataset.where(lambda sample: sample.product == product)


@pytest.mark.parametrize("give_product", [False, True])
def test_figures_from_the_cache_are_those_of_evaluate(
    run: Path, tree: Path, cache: Path, give_product: bool
) -> None:
    dataset = read(tree)
    plain = mintad.evaluate(run, tree, give_product=give_product)
    inspector = cached_inspector(mintad.load(run), dataset.test.samples, cache)
    cached = evaluate(inspector, dataset, give_product=give_product)
    found, expected = cached.to_json(), plain.to_json()
    assert found["config"] == expected["config"]
    for part in ("macro", "pooled"):
        assert found[part] == nearly(expected[part])
    scores = [inspection.score for inspection in cached.inspections]
    assert scores == pytest.approx([inspection.score for inspection in plain.inspections], rel=1e-2)


def test_the_backbone_sees_only_a_batch_that_is_not_whole(
    run: Path, tree: Path, cache: Path
) -> None:
    dataset, bundle = read(tree), mintad.load(run)

    def inspect(part: Dataset) -> Inspector:
        return cached_inspector(bundle, part.test.samples, cache)

    inspect(dataset)
    with patch("mintad_lab.experiment.measuring.backbone_rows", side_effect=AssertionError):
        evaluate(inspect(dataset), dataset)  # 16 images, one whole batch
        blobs = only(dataset, "blobs")
        with pytest.raises(AssertionError):
            evaluate(inspect(blobs), blobs)


@pytest.mark.parametrize("from_images", [False, True])
def test_a_row_is_what_mintad_evaluate_says(
    from_images: bool, tree: Path, run: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    job = Job(Row("tiny", recipe=tiny_recipe), read(tree), 0, tmp_path, cache, from_images)
    found = run_row(job)
    plain = mintad.evaluate(run, tree).to_json()
    for part in ("macro", "pooled"):
        assert found["evaluation"][part] == nearly(plain[part])
    config = found["evaluation"]["config"]
    assert config["product_accuracy"] == plain["config"]["product_accuracy"] is not None
    assert config["evaluation_size"] == plain["config"]["evaluation_size"]
    assert len(found["scores"]["blobs"]["scores"]) == 8
    assert found["seconds"] > 0
    assert found["training_images"] == 20
    assert found["recipe"]["seed"] == 0
    assert found["model_bytes"] == mintad.load(tmp_path).file("model.safetensors").stat().st_size
    assert not list(cache.glob("mintad-lab-*"))
    again = run_row(job)
    assert again["seconds"] == found["seconds"]
    drop_bundles(tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))
    assert (tmp_path / "run.json").is_file()


def test_a_separate_row_trains_a_model_for_each_product(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    """Its figures are those of the models one by one; pooled, of all images together."""
    dataset = read(tree)
    row = Row("tiny", ("training.epochs=1",), tiny_recipe).apart()
    found = run_row(Job(row, dataset, 0, tmp_path, cache))
    runs = sorted(path.parent for path in tmp_path.glob("*/run.json"))
    assert [run.name for run in runs] == ["00-blobs", "01-stripes"]
    for run, product in zip(runs, dataset.products, strict=True):
        alone = mintad.evaluate(run, only(dataset, product), give_product=True).to_json()
        assert found["evaluation"]["products"][product] == nearly(alone["products"][product])
    assert found["evaluation"]["pooled"]["n_good"] == 8
    config = found["evaluation"]["config"]
    assert config["product_given"]
    assert config["product_accuracy"] is None
    assert config["images"] == 16
    assert found["training_images"] == 20
    parameters = [mintad.load(run).manifest.model.parameters for run in runs]
    assert found["parameters"] == sum(parameters) > parameters[0]


def test_a_stopped_run_goes_on_to_the_same_figures(
    tree: Path, run: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    job = Job(Row("tiny", recipe=tiny_recipe), read(tree), 0, tmp_path, cache)
    with patch.object(fitting, "SaveEachEpoch", StopAfterAnEpoch), pytest.raises(KeyboardInterrupt):
        run_row(job)
    assert (tmp_path / "checkpoint.ckpt").is_file()
    found = run_row(job)
    assert found["seconds"] is None
    assert found["evaluation"]["macro"] == nearly(mintad.evaluate(run, tree).to_json()["macro"])


def test_test_images_of_a_product_of_their_own_are_measured(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    """Many against many: no accuracy, for no product is right."""
    from dataclasses import replace

    samples = (
        sample if sample.split == "train" else replace(sample, product="all")
        for sample in read(tree)
    )
    job = Job(Row("tiny", recipe=tiny_recipe), Dataset(tuple(samples)), 0, tmp_path, cache)
    evaluation = run_row(job)["evaluation"]
    assert list(evaluation["products"]) == ["all"]
    assert evaluation["config"]["product_accuracy"] is None
