"""Rows of a study: trained, measured from the cache, resumed, and refused before training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

pytest.importorskip("torch")
import mintad
from mintad.data import read
from mintad.errors import ConfigError, DataError
from mintad.training import fit as fitting
from mintad_lab.studies import running
from mintad_lab.studies.measuring import evaluate_cached, evaluate_separate
from mintad_lab.studies.running import run_settings
from mintad_lab.studies.setting import Row, Setting
from mintad_lab.studies.table import write_table

pytestmark = pytest.mark.filterwarnings("ignore:The backbone .* has random weights")


class StopAfterAnEpoch(fitting.SaveEachEpoch):
    """Stops the run once its first epoch is saved, as Ctrl-C would."""

    def on_train_epoch_end(self, trainer: Any, module: object) -> None:
        super().on_train_epoch_end(trainer, module)
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def settings(tiny_recipe: Path) -> list[Setting]:
    plain = "switches.classification=false"
    return [
        Setting("all", recipe=tiny_recipe, published={"i_auroc": 0.5}),
        Setting("no classes", (plain, "training.epochs=1"), recipe=tiny_recipe),
        Setting("separate", ("training.epochs=1",), recipe=tiny_recipe, separate=True),
    ]


@pytest.fixture(scope="module")
def finished(
    settings: list[Setting], tree: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Row]]:
    out = tmp_path_factory.mktemp("study")
    return out, run_settings(settings, read(tree), out, seeds=(0,), cache=cache)


@pytest.mark.parametrize("give_product", [False, True])
def test_figures_from_the_cache_are_those_of_evaluate(
    run: Path, tree: Path, cache: Path, give_product: bool
) -> None:
    plain = mintad.evaluate(run, tree, give_product=give_product)
    cached = evaluate_cached(run, read(tree), cache, give_product=give_product)
    assert cached.to_json() == plain.to_json()
    assert [one.score for one in cached.inspections] == [one.score for one in plain.inspections]


def test_the_backbone_sees_only_a_batch_that_is_not_whole(
    run: Path, tree: Path, cache: Path
) -> None:
    dataset = read(tree)
    evaluate_cached(run, dataset, cache)
    with patch("mintad.engines.torch_engine.backbone_tokens", side_effect=AssertionError):
        evaluate_cached(run, dataset, cache)  # 16 images, one whole batch
        with pytest.raises(AssertionError):
            evaluate_cached(run, dataset.where(lambda sample: sample.product == "blobs"), cache)


def test_bundles_that_share_the_products_are_measured_as_one(
    run: Path, tree: Path, cache: Path
) -> None:
    """The same bundle for each product is that bundle with the product given."""
    dataset, bundle = read(tree), mintad.load(run)
    parts = [
        (bundle, dataset.where(lambda sample, p=product: sample.product == p))
        for product in dataset.products
    ]
    together = evaluate_separate(parts, cache)
    given = mintad.evaluate(run, tree, give_product=True).to_json()
    assert together["products"].keys() == given["products"].keys()
    for part in ("macro", "pooled"):
        for metric, value in given[part].items():
            assert together[part][metric] == pytest.approx(value, abs=1e-3), (part, metric)
    assert together["config"]["images"] == given["config"]["images"]


def test_a_row_holds_what_mintad_evaluate_would_say(
    finished: tuple[Path, list[Row]], run: Path, tree: Path
) -> None:
    _, rows = finished
    expected = mintad.evaluate(run, tree).to_json()
    found = rows[0].results[0]["evaluation"]
    assert found["macro"] == expected["macro"]
    assert found["pooled"] == expected["pooled"]
    assert found["config"]["product_accuracy"] == expected["config"]["product_accuracy"]


def test_rows_say_what_the_model_was_told(finished: tuple[Path, list[Row]]) -> None:
    _, rows = finished
    told = [row.product_at_test for row in rows]
    assert told == ["recognised", "none: raw scores", "given: a model for each"]
    assert rows[0].accuracy is not None
    assert rows[1].accuracy is None
    assert rows[2].accuracy is None


def test_a_separate_row_trains_a_model_per_product(finished: tuple[Path, list[Row]]) -> None:
    out, rows = finished
    runs = sorted(path.parent.name for path in (out / "separate-0").glob("*/run.json"))
    assert runs == ["00-blobs", "01-stripes"]
    result = rows[2].results[0]
    assert sorted(result["evaluation"]["products"]) == ["blobs", "stripes"]
    assert result["training_images"] == 20
    assert result["parameters"] > rows[0].results[0]["parameters"]


def test_finished_rows_are_not_done_again(
    settings: list[Setting], finished: tuple[Path, list[Row]], tree: Path, cache: Path
) -> None:
    out, rows = finished
    assert not list(out.rglob("*.safetensors"))
    table = write_table(rows, out, "table").read_bytes()
    with patch.object(running, "train_run", side_effect=AssertionError):
        again = run_settings(settings, read(tree), out, seeds=(0,), cache=cache)
    assert again == rows
    assert write_table(again, out, "table").read_bytes() == table


def test_a_stopped_study_goes_on_to_the_same_figures(
    settings: list[Setting],
    finished: tuple[Path, list[Row]],
    tree: Path,
    cache: Path,
    tmp_path: Path,
) -> None:
    _, rows = finished
    dataset, first = read(tree), settings[:1]
    with patch.object(fitting, "SaveEachEpoch", StopAfterAnEpoch), pytest.raises(KeyboardInterrupt):
        run_settings(first, dataset, tmp_path, seeds=(0,), cache=cache)
    assert (tmp_path / "all-0" / "checkpoint.ckpt").is_file()
    seen: list[int] = []
    resumed = run_settings(
        first,
        dataset,
        tmp_path,
        seeds=(0,),
        cache=cache,
        keep_bundles=True,
        finished=lambda found, result: seen.append(len(found[0].results)),
    )
    assert seen == [1]
    assert resumed[0].results[0]["seconds"] is None
    assert resumed[0].seconds is None
    assert (tmp_path / "all-0" / "bundle" / "manifest.json").is_file()
    assert resumed[0].results[0]["evaluation"]["macro"] == rows[0].results[0]["evaluation"]["macro"]


@pytest.mark.parametrize(
    "bad",
    [
        ("switches.heads=3",),
        ("switches.transformer=false",),
        ("model=uniad",),
        ("model=uniad-text-prompt",),
        ("training.epoch=3",),
        ("backbone.stages=[9]",),
    ],
)
def test_a_row_that_cannot_be_is_refused_before_any_is_trained(
    bad: tuple[str, ...], tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    settings = [Setting("good", recipe=tiny_recipe), Setting("bad", bad, recipe=tiny_recipe)]
    with pytest.raises(ConfigError, match="The row bad: "):
        run_settings(settings, read(tree), tmp_path / "out", cache=tmp_path / "cache")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "cache").exists()


def test_names_that_share_a_folder_are_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a-b"):
        run_settings([Setting("a b"), Setting("a, b")], read(tree), tmp_path)


def test_products_without_training_images_are_refused(
    tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    dataset = read(tree).where(lambda sample: sample.split == "test" or sample.product == "blobs")
    with pytest.raises(DataError, match="stripes"):
        run_settings([Setting("a", recipe=tiny_recipe)], dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_recipe_or_of_other_masks_is_refused(
    settings: list[Setting],
    finished: tuple[Path, list[Row]],
    own_tree: Path,
    tiny_recipe: Path,
    cache: Path,
) -> None:
    out, _ = finished
    dataset = read(own_tree)
    other = [Setting("all", ("training.epochs=2",), recipe=tiny_recipe)]
    with pytest.raises(ConfigError, match="another recipe"):
        run_settings(other, dataset, out, seeds=(0,), cache=cache)
    assert run_settings(settings[:1], dataset, out, seeds=(0,), cache=cache)[0].results
    masks = sorted(own_tree.glob("blobs/ground_truth/hole/*.png"))
    masks[0].write_bytes(masks[1].read_bytes())
    with pytest.raises(ConfigError, match="other images"):
        run_settings(settings[:1], dataset, out, seeds=(0,), cache=cache)


def test_a_row_whose_weights_are_not_at_hand_says_so(
    tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    missing = ("backbone.name=resnet18", "backbone.weights=none.pth")
    rows = run_settings([Setting("a", missing, recipe=tiny_recipe)], read(tree), tmp_path / "out")
    assert rows[0].results == ()
    assert rows[0].reason is not None
    assert "none.pth" in rows[0].reason
    assert "none.pth" in write_table(rows, tmp_path, "table").read_text(encoding="utf-8")


def test_results_are_whole_json_files(finished: tuple[Path, list[Row]]) -> None:
    out, rows = finished
    kept = json.loads((out / "all-0" / "result.json").read_text(encoding="utf-8"))
    assert kept == rows[0].results[0]
    assert kept["recipe"]["seed"] == kept["seed"] == 0
    assert np.isfinite(kept["seconds"])
