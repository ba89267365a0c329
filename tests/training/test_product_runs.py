"""Runs of methods that must be told the product: from the images to an evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import mintad
from mintad.errors import ConfigError, WeightsError
from mintad.inspection import Inspector

SWITCHES: dict[str, Any] = {
    "dim": 16,
    "heads": 2,
    "feed_forward": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "mask_window": 3,
    "standardise": True,
}


def overrides(model: str, **switches: Any) -> dict[str, Any]:
    return {"model": model, "switches": SWITCHES | switches}


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("text") / "vectors.json"
    file.write_text(json.dumps({"stripes": [3.0, 4.0], "blobs": [-1.0, 0.0]}), encoding="utf-8")
    return file


@pytest.fixture(scope="module", params=["uniad-query-pool", "uniad-text-prompt"])
def product_run(
    request: pytest.FixtureRequest,
    tree: Path,
    tiny_recipe: Path,
    cache: Path,
    vectors: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A finished run of a method that needs the product."""
    text = {"text_encoder": f"file:{vectors}"} if request.param == "uniad-text-prompt" else {}
    out = tmp_path_factory.mktemp("product_run") / "run"
    chosen = overrides(request.param, **text)
    mintad.train(tree, out, recipe=tiny_recipe, cache=cache, overrides=chosen)
    return out


def test_the_bundle_tells_that_its_method_needs_the_product(product_run: Path, run: Path) -> None:
    assert mintad.load(product_run).manifest.model.needs_product
    assert not mintad.load(run).manifest.model.needs_product


def test_without_the_product_nothing_is_inspected(product_run: Path, tree: Path) -> None:
    inspector = Inspector(product_run)
    images = sorted(tree.glob("*/test/*/*.png"))[:3]
    for products in (None, ["stripes", None, "stripes"]):
        with pytest.raises(ConfigError, match=r"product of every image.*--product.*--give-product"):
            list(inspector(images, products))


def test_a_given_product_is_scored_on_its_scale(product_run: Path, tree: Path) -> None:
    inspector = Inspector(product_run)
    images = sorted(tree.glob("stripes/train/good/*.png"))
    right = [result.score or 0.0 for result in inspector(images, "stripes")]
    wrong = [result.raw_score or 0.0 for result in inspector(images, "blobs")]
    assert abs(float(np.median(right))) < 3
    assert not np.allclose(wrong, [r.raw_score for r in inspector(images, "stripes")])


def test_the_command_line_evaluates_with_the_product_and_refuses_without(
    product_run: Path, tree: Path, command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, _, error = command("evaluate", product_run, tree)
    assert status == 2
    assert "--give-product" in error
    numbers = tmp_path / "numbers.json"
    assert command("evaluate", product_run, tree, "--give-product", "--json", numbers)[0] == 0
    config = json.loads(numbers.read_text(encoding="utf-8"))["config"]
    assert config["product_given"]
    page = tmp_path / "report.html"
    assert command("report", product_run, tree, "--out", page, "--give-product")[0] == 0
    assert page.is_file()


def test_a_method_that_knows_no_product_is_measured_on_raw_scores(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    bundle = mintad.train(
        tree, tmp_path / "run", recipe=tiny_recipe, cache=cache, overrides=overrides("uniad")
    )
    assert mintad.load(tmp_path / "run").manifest.metrics == {}
    raw = mintad.evaluate(bundle, tree)
    assert raw.config.product_accuracy is None
    assert raw.config.scores.startswith("raw")
    assert all(inspection.score == inspection.raw_score for inspection in raw.inspections)
    given = mintad.evaluate(bundle, tree, give_product=True)
    assert given.config.scores.startswith("calibrated")
    assert [inspection.raw_score for inspection in given.inspections] == pytest.approx(
        [inspection.raw_score for inspection in raw.inspections]
    )
    assert any(inspection.score != inspection.raw_score for inspection in given.inspections)


def test_text_embeddings_travel_in_the_bundle(
    tree: Path, tiny_recipe: Path, cache: Path, vectors: Path, tmp_path: Path
) -> None:
    chosen = overrides("uniad-text-prompt", text_encoder=f"file:{vectors}")
    mintad.train(tree, tmp_path / "run", recipe=tiny_recipe, cache=cache, overrides=chosen)
    bundle = mintad.load(tmp_path / "run")
    assert bundle.manifest.product_names == ("blobs", "stripes")
    assert bundle.manifest.model.text_channels == 2
    expected = np.array([[-1.0, 0.0], [0.6, 0.8]]) * 2**0.5
    kept = bundle.tensors("model.safetensors")["text_embeddings"]
    np.testing.assert_allclose(kept, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        ("", ConfigError, r"switches\.text_encoder"),
        ("file:none.json", WeightsError, r"none\.json"),
    ],
)
def test_a_text_prompt_without_encoder_is_refused_before_anything_is_done(
    tree: Path, tiny_recipe: Path, tmp_path: Path, encoder: str, error: type, message: str
) -> None:
    chosen = overrides("uniad-text-prompt", text_encoder=encoder)
    cache = tmp_path / "cache"
    with pytest.raises(error, match=message):
        mintad.train(tree, tmp_path / "run", recipe=tiny_recipe, cache=cache, overrides=chosen)
    assert not (tmp_path / "run").exists()
    assert not cache.exists()


def test_models_are_listed(command: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = command("models", "--json")
    assert status == 0
    listed = {method["name"]: method for method in json.loads(out)}
    assert listed["uniad-text-prompt"]["needs_at_test"] == ["product"]
    status, out, _ = command("models")
    assert status == 0
    assert "uniad-query-pool" in out
    assert "needs at test time: product" in out
