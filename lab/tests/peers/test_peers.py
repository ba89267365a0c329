"""Peers as data; anomalib itself is needed where a test says so."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from mintad.errors import ConfigError
from mintad_lab.peers.catalogue import PEERS

with_anomalib = pytest.mark.skipif(
    find_spec("anomalib") is None, reason="anomalib is not installed"
)


def test_every_peer_has_a_network() -> None:
    pytest.importorskip("torch")
    from mintad_lab.peers.networks import METHODS

    assert set(METHODS) == set(PEERS)


@with_anomalib
@pytest.mark.slow
def test_anomalib_knows_every_network() -> None:
    from mintad_lab.peers.networks import METHODS

    for path, _ in METHODS.values():
        module, _, name = f"anomalib.models.{path}".rpartition(".")
        assert hasattr(import_module(module), name)


@with_anomalib
@pytest.mark.slow
@pytest.mark.parametrize("name", ["padim", "patchcore", "efficient-ad"])
def test_an_untrained_peer_maps_images_to_anomaly_maps(name: str) -> None:
    import torch

    from mintad_lab.peers.untrained import build_untrained

    module, size, _ = build_untrained(name)
    with torch.inference_mode():
        prediction = module.model(torch.randn(1, 3, size, size))
    assert prediction.anomaly_map.shape[-2:] == (size, size)


def test_a_budget_is_overridden() -> None:
    changed = PEERS["cflow"].override(["epochs=3", "size=96"])
    assert (changed.epochs, changed.size, changed.batch_size) == (3, 96, 16)
    assert changed.description == "3 epochs at 96x96 pixels, 1,024 vectors a step"
    assert PEERS["stfpm"].override([]) == PEERS["stfpm"]
    for text in ("speed=3", "epochs=many", "epochs", "epochs=-1"):
        with pytest.raises(ConfigError, match="changes nothing"):
            PEERS["stfpm"].override([text])


@with_anomalib
@pytest.mark.slow
@pytest.mark.parametrize("name", ["padim", "dfm"])
def test_a_peer_of_one_pass_is_measured_on_our_backbone(
    tree: Path, tmp_path: Path, name: str
) -> None:
    from mintad.data import read
    from mintad_lab.experiment.measuring import run_row
    from mintad_lab.experiment.process import Job
    from mintad_lab.experiment.table import Row

    row = Row(name, peer=PEERS[name].override(["size=96"])).apart()
    outcome = run_row(Job(row, read(tree), 0, tmp_path))
    assert outcome["evaluation"]["macro"]["i_auroc"] > 0.9
    config = outcome["evaluation"]["config"]
    assert config["evaluation_size"] == [96, 96]
    assert (config["images"], config["product_given"]) == (16, True)
    assert outcome["model_bytes"] > 0


def test_a_peer_with_our_backbone_sees_images_as_that_backbone_asks_for_them() -> None:
    pytest.importorskip("torch")
    from mintad.backbones import BackboneConfig, create_backbone
    from mintad_lab.peers.fitting import preprocessing

    ours = create_backbone(
        BackboneConfig(name="efficientnet_lite2", weights="random", input_size=(224, 224))
    ).preprocessing()
    for peer in PEERS.values():
        found = preprocessing(peer)
        if peer.backbone == "ours":
            assert (found.mean, found.std) == (ours.mean, ours.std)
        else:
            assert found.mean != ours.mean
        assert (found.height, found.width) == (peer.size, peer.size)
