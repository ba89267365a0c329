"""Runs of the teacher-student methods: from the images to an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

pytest.importorskip("torch")

import mintad
from mintad.errors import ConfigError
from mintad.training import fitting


def overrides(model: str, **fields: Any) -> dict[str, Any]:
    backbone = {"backbone.sampling": "native", "backbone.image": model.endswith("stfpm")}
    switches = {"centres": 8} if model.startswith("snl") else {}
    return {"model": model, "switches": switches, **backbone, **fields}


@pytest.mark.parametrize("model", ["stfpm", "rd4ad", "snl-stfpm", "snl-rd4ad"])
def test_a_run_is_evaluated_like_any_other(
    model: str, tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    chosen = overrides(model)
    mintad.train(tree, tmp_path / "run", recipe=tiny_recipe, cache=cache, overrides=chosen)
    manifest = mintad.load(tmp_path / "run").manifest
    assert manifest.model.shape.kind == "stages"
    assert manifest.model.shape.grids == ((16, 16), (8, 8))
    assert manifest.model.shape.image == model.endswith("stfpm")
    raw = mintad.evaluate(tmp_path / "run", tree)
    assert raw.config.product_accuracy is None
    assert all(inspection.score == inspection.raw_score for inspection in raw.inspections)
    given = mintad.evaluate(tmp_path / "run", tree, give_product=True)
    assert given.config.scores.startswith("calibrated")
    assert any(inspection.score != inspection.raw_score for inspection in given.inspections)


@pytest.mark.parametrize("model", ["snl-stfpm", "snl-rd4ad"])
def test_the_seed_decides_the_weights_and_a_resumed_run_ends_alike(
    model: str, tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    class StopAfterOne(fitting.SaveEachEpoch):
        def on_train_epoch_end(self, trainer: Any, module: object) -> None:
            super().on_train_epoch_end(trainer, module)
            raise KeyboardInterrupt

    options: dict[str, Any] = {"recipe": tiny_recipe, "cache": cache}
    chosen = overrides(model, **{"training.epochs": 2})
    mintad.train(tree, tmp_path / "whole", overrides=chosen, **options)
    with patch.object(fitting, "SaveEachEpoch", StopAfterOne), pytest.raises(KeyboardInterrupt):
        mintad.train(tree, tmp_path / "stopped", overrides=chosen, **options)
    mintad.train(tree, tmp_path / "stopped", resume=True, cache=cache)
    mintad.train(tree, tmp_path / "other", overrides={**chosen, "seed": 1}, **options)
    whole, stopped, other = (
        mintad.load(tmp_path / name).tensors("model.safetensors")
        for name in ("whole", "stopped", "other")
    )
    for name, value in whole.items():
        np.testing.assert_array_equal(value, stopped[name], err_msg=name)
    assert any(not np.array_equal(value, other[name]) for name, value in whole.items())


def test_one_product_alone_is_a_separate_model(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    data = mintad.read(tree)
    stripes = data.where(lambda sample: sample.product == "stripes")
    run = tmp_path / "run"
    mintad.train(stripes, run, recipe=tiny_recipe, cache=cache, overrides=overrides("snl-rd4ad"))
    evaluation = mintad.evaluate(run, stripes, give_product=True)
    assert list(evaluation.metrics.to_json()["products"]) == ["stripes"]


@pytest.mark.parametrize(
    ("model", "sampling", "message"),
    [
        ("rd4ad", "area", "sampling to native and"),
        ("stfpm", "native", r"native and backbone\.image to true"),
        ("mint-ad", "native", "sampling to bilinear or area and"),
    ],
)
def test_features_that_do_not_fit_are_refused_before_anything_is_done(
    model: str, sampling: str, message: str, tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    chosen = {"model": model, "switches": {}, "backbone.sampling": sampling}
    cache = tmp_path / "cache"
    with pytest.raises(ConfigError, match=message):
        mintad.train(tree, tmp_path / "run", recipe=tiny_recipe, cache=cache, overrides=chosen)
    assert not (tmp_path / "run").exists()
    assert not cache.exists()
