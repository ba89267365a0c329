"""`mintad-lab inside` on bundles of every kind: what there is and is not, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import mintad
from mintad.errors import ConfigError, DataError
from mintad.features import FeatureShape
from mintad_lab.inside.gather import choose
from mintad_lab.inside.look import attention_map, cosine_map
from mintad_lab.inside.page import run_inside

KINDS: dict[str, dict[str, Any]] = {
    "from nothing": {},
    "adapted": {"switches.target": "adapted"},
    "mlp": {"switches.query_network": "mlp"},
    "no classification": {"switches.classification": False},
    "shared query": {"switches.class_query": False},
    "subspaces and transformer": {"switches.start": "subspaces", "switches.rank": 2},
    "closed form": {"switches.start": "subspaces", "switches.transformer": False},
    "two sizes": {
        "switches.start": "subspaces",
        "switches.transformer": False,
        "backbone.also_at": [[48, 48]],
    },
    "uniad": {"model": "uniad"},
    "query pool": {"model": "uniad-query-pool"},
}
_MINT_AD_ONLY = ("token_dim", "token_source", "token_activation")


@pytest.fixture(scope="module")
def train(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A bundle of each kind, made once, with its closed form and without a gradient step."""
    runs: dict[str, Path] = {}

    def bundle(kind: str) -> Path:
        if kind not in runs:
            recipe = tiny_recipe
            if "model" in KINDS[kind]:
                recipe = tmp_path_factory.mktemp("recipe") / "uniad.toml"
                lines = tiny_recipe.read_text(encoding="utf-8").splitlines()
                kept = [line for line in lines if not line.startswith(_MINT_AD_ONLY)]
                recipe.write_text("\n".join(kept), encoding="utf-8")
            runs[kind] = tmp_path_factory.mktemp("runs") / "run"
            overrides = {"training.epochs": 0, "export": False} | KINDS[kind]
            mintad.train(tree, runs[kind], recipe=recipe, cache=cache, overrides=overrides)
        return runs[kind]

    return bundle


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_looked_at(
    kind: str, train: Callable[[str], Path], tree: Path, cache: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    content = run_inside(
        train(kind), mintad.read(tree), tmp_path, images=4, cache=cache, echo=lines.append
    )
    is_uniad = "model" in KINDS[kind]
    recognises = not is_uniad and kind != "no classification"
    has_queries = not is_uniad and kind not in ("shared query", "closed form", "two sizes")
    expected = {
        "inside-features.svg": True,
        "inside-queries.svg": has_queries,
        "inside-tokens.svg": not is_uniad,
        "inside-products.svg": recognises,
    }
    assert content == json.loads((tmp_path / "inside.json").read_text(encoding="utf-8"))
    assert content["pictures"] == [name for name, there in expected.items() if there]
    page = (tmp_path / "inside.md").read_text(encoding="utf-8")
    for name, there in expected.items():
        assert (tmp_path / name).is_file() is there
        assert (f"]({name})" in page) is there
        if there:
            ElementTree.parse(tmp_path / name)
    assert bool(content["missing"]) is not (has_queries and recognises)
    assert all(reason in page and reason in "\n".join(lines) for reason in content["missing"])
    for numbers in content["products"].values():
        assert numbers["good_images"] == 4
        assert numbers["defective_images"] == 4
        assert numbers["token_images"] == (0 if is_uniad else 8)
        assert (numbers["near_cosine"] is not None) is has_queries
        assert numbers["explained_good"] <= 1
    if recognises:
        counts = np.array(content["confusion"]["counts"])
        assert counts.sum(axis=1).tolist() == [8, 8]
        assert content["confusion"]["accuracy"] == np.trace(counts) / 16


def test_attention_and_cosine_of_queries() -> None:
    queries = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [2.0, 0.0]]])
    scores = torch.tensor([[4.0, 0, 4], [0, 1, 0], [4, 0, 4]]) / 2**0.5
    torch.testing.assert_close(attention_map(queries), scores.softmax(dim=1))
    torch.testing.assert_close(
        cosine_map(queries), torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])
    )


def test_images_are_chosen_evenly(tree: Path) -> None:
    chosen = choose(mintad.read(tree), ("blobs", "stripes"), 3)
    names = [Path(sample.name).stem for sample in chosen if sample.split == "train"]
    assert names == ["000", "004", "009"] * 2
    groups = [(sample.product, sample.split, sample.label) for sample in chosen]
    assert len(groups) == 18
    assert groups == sorted(groups)  # type: ignore[type-var]


def test_unknown_products_are_refused(
    own_tree: Path, run: Path, cache: Path, tmp_path: Path
) -> None:
    (own_tree / "blobs").rename(own_tree / "dots")
    with pytest.raises(DataError, match=r"know the product dots.*It knows: blobs, stripes"):
        run_inside(run, mintad.read(own_tree), tmp_path / "out", cache=cache)
    assert not (tmp_path / "out").exists()


def test_a_method_without_an_inside_is_refused(
    tree: Path, run: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mintad.models import AnomalyModel, ModelConfig

    shape = FeatureShape(stage_channels=(3,), grids=((2, 2),), image_size=(8, 8))
    model = AnomalyModel(ModelConfig(), shape, 2)
    monkeypatch.setattr("mintad_lab.inside.gather.load_model", lambda _: model)
    with pytest.raises(ConfigError, match="nothing to look at"):
        run_inside(run, mintad.read(tree), tmp_path / "out", cache=cache)
    assert not (tmp_path / "out").exists()


def test_the_command(
    lab_command: Callable[..., tuple[int, str, str]],
    run: Path,
    tree: Path,
    cache: Path,
    tmp_path: Path,
) -> None:
    status, said, errors = lab_command(
        "inside", run, tree, "--out", tmp_path / "in", "--images", 3, "--cache", cache
    )
    assert (status, errors) == (0, "")
    assert "products recognised by the classification head" in said
    assert f"page: {tmp_path / 'in' / 'inside.md'}" in said
    assert (tmp_path / "in" / "inside-tokens.svg").is_file()
