"""What methods cost: counted against layers whose cost is known."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from mintad.assembly import Network, build_model
from mintad.layers import Attention
from mintad.models import list_models
from mintad.training import load_recipe
from mintad_lab.complexity import measuring
from mintad_lab.complexity.measuring import (
    PEERS,
    Cost,
    batch_seconds,
    measure_all,
    measure_method,
    method_recipes,
    multiplications,
)
from mintad_lab.complexity.table import write_complexity

Command = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.filterwarnings("ignore:The backbone .* has random weights")

SMALL = {"dim": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1, "decoder_layers": 1}
TINY = {
    "backbone.name": "timm:test_efficientnet",
    "backbone.stages": [1, 2],
    "backbone.weights": "random",
    "backbone.input_size": [64, 64],
    "backbone.stride": 8,
}


def tiny(model: str, **switches: Any) -> dict[str, Any]:
    """Arguments of `measure_method`: a small model on a tiny backbone."""
    return {
        "recipe": load_recipe("paper", {"model": model, "switches": switches, **TINY}),
        "products": 3,
        "repeats": 1,
        "batches": (1, 2),
    }


def built(recipe: Any, products: int) -> Network:
    network = build_model(recipe, [str(number) for number in range(products)]).eval()
    return network.requires_grad_(False)


def test_a_linear_layer_multiplies_once_per_weight() -> None:
    layer = nn.Linear(8, 16).requires_grad_(False)
    assert multiplications(layer, torch.randn(5, 8)) == 5 * 8 * 16


def test_a_convolution_multiplies_once_per_weight_and_place() -> None:
    layer = nn.Conv2d(4, 6, 3, padding=1).requires_grad_(False)
    assert multiplications(layer, torch.randn(1, 4, 10, 10)) == 4 * 6 * 9 * 100


@pytest.mark.parametrize("masked", [False, True])
def test_attention_counts_its_two_products_of_matrices(masked: bool) -> None:
    layer = Attention(16, 2).requires_grad_(False)
    blocked = torch.eye(9, dtype=torch.bool) if masked else None
    counted = multiplications(lambda x: layer(x, x, x, blocked), torch.randn(1, 9, 16))
    assert counted == 4 * 9 * 16 * 16 + 2 * 9 * 9 * 16


def test_uniad_has_the_parameters_and_the_cost_of_its_layers() -> None:
    """7,717,392 parameters at 272 channels; the table of queries costs nothing."""
    network = built(method_recipes()["uniad"], products=15)
    assert network.image_size == (224, 224)
    assert sum(value.numel() for value in network.model.parameters()) == 7_717_392
    positions, dim = 196, 256
    attention = 4 * positions * dim**2 + 2 * positions**2 * dim
    feed_forward = 2 * positions * dim * 1024
    layers = 4 * (attention + feed_forward) + 4 * (2 * attention + feed_forward)
    ends = 2 * positions * 272 * dim
    features = network.backbone(torch.randn(1, 3, 224, 224))
    assert multiplications(network.model.predict, features) == layers + ends


def test_a_cost_adds_backbone_and_model() -> None:
    given = tiny("uniad-query-pool", **SMALL)
    cost = measure_method("a", **given)
    network = built(given["recipe"], products=3)
    assert cost.model_macs is not None
    behind = multiplications(network.backbone, torch.randn(1, 3, 64, 64))
    assert cost.macs == cost.model_macs + behind
    assert cost.trainable == sum(value.numel() for value in network.model.parameters())
    assert cost.backbone == sum(value.numel() for value in network.backbone.parameters())
    assert set(cost.seconds) == set(cost.model_seconds) == {1, 2}
    assert min(cost.seconds.values()) > 0


def test_the_closed_form_is_memory_and_not_trained() -> None:
    closed = {"start": "subspaces", "rank": 4, "code": 8, "transformer": False}
    cost = measure_method("a", **tiny("mint-ad", **closed))
    assert cost.trainable == 0
    assert cost.memory > 0


def test_every_method_has_a_row() -> None:
    assert set(method_recipes()) >= set(list_models())


def test_a_method_that_cannot_be_built_says_why() -> None:
    cost = measure_method("a", **tiny("uniad", heads=3))
    assert cost.reason is not None
    assert "heads=3" in cost.reason


def test_peers_without_anomalib_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = [name for name in sys.modules if name.startswith("anomalib.")]
    for name in ("anomalib", *loaded):
        monkeypatch.setitem(sys.modules, name, None)
    costs = measure_all(rows=tuple(PEERS), repeats=1, batches=(1,))
    assert [cost.reason for cost in costs] == [
        "anomalib is not installed. Install it with: pip install anomalib"
    ] * len(PEERS)


def test_what_is_measured_is_kept_under_its_conditions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "PAPER_BACKBONE", TINY)
    options: dict[str, Any] = {"rows": ("uniad",), "repeats": 1, "keep": tmp_path}
    first = measure_all(batches=(1,), **options)
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "measure_method", None)
        assert measure_all(batches=(1,), **options) == first
    assert set(measure_all(batches=(2,), **options)[0].seconds) == {2}


def test_batches_are_timed_in_their_size() -> None:
    seen: list[int] = []
    medians = batch_seconds(lambda images: seen.append(len(images)), torch.zeros(4, 3), 2, (1, 4))
    assert seen == [1] * 3 + [4] * 3
    assert list(medians) == [1, 4]


def test_the_table_gives_macs_flops_and_the_papers_figures(tmp_path: Path) -> None:
    cost = Cost(
        "uniad",
        "b4",
        size=224,
        macs=2_620_000_000,
        model_macs=1_700_000_000,
        trainable=7_717_392,
        backbone=3_640_000,
        seconds={1: 0.2, 8: 0.8},
        model_seconds={1: 0.1, 8: 0.4},
    )
    missing = Cost("anomalib padim", reason="anomalib is not installed.")
    table = write_complexity([cost, missing], tmp_path, products=15, repeats=3)
    lines = [line for line in table.read_text("utf-8").splitlines() if line.startswith("|")]
    heads, first, second = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])
    )
    row = dict(zip(heads, first, strict=True))
    macs = (row["GMAC"], row["GFLOP"], row["GMAC without backbone"])
    assert macs == ("2.62", "5.24", "1.70")
    assert row["trainable, M"] == "7.72"
    assert row["s for 8"] == "0.800 / 0.400"
    assert first[-3:] == ["0.92", "6.27", "0.032, 0.068, 0.089, 0.146, 0.2305"]
    assert second[1:-3] == ["–"] * (len(heads) - 4)
    assert "anomalib padim was not measured" in table.read_text("utf-8")
    content = json.loads((tmp_path / "complexity.json").read_text("utf-8"))
    assert content["rows"][0]["macs"] == 2_620_000_000
    assert content["rows"][0]["seconds"] == {"1": 0.2, "8": 0.8}
    ElementTree.fromstring((tmp_path / "complexity.svg").read_text("utf-8"))


def test_an_unknown_method_is_refused(lab_command: Command, tmp_path: Path) -> None:
    status, _, error = lab_command("complexity", "--rows", "x", "--out", tmp_path / "out")
    assert status == 2
    assert "No method is named 'x'" in error
    assert not (tmp_path / "out").exists()
