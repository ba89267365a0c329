"""Peers as data, and jobs in processes of their own; anomalib itself is not needed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from mintad.errors import ConfigError
from mintad_lab.peers.catalogue import PEERS, find_peer
from mintad_lab.peers.process import LOG_FILE, run_process

WORKER = """
import sys
from pathlib import Path
from mintad_lab.peers.process import finish, read_job

folder = Path(sys.argv[1])
job = read_job(folder)
if job == "break":
    raise RuntimeError("no such | thing")
finish(folder, {"doubled": 2 * job["number"]})
"""


def test_every_peer_has_a_builder() -> None:
    pytest.importorskip("torch")
    from mintad_lab.peers.networks import _BUILDERS

    assert set(_BUILDERS) == set(PEERS)


def test_overrides_go_to_all_or_to_one() -> None:
    assert find_peer("stfpm", ["epochs=3"]).epochs == 3
    assert find_peer("stfpm", ["cflow:epochs=3"]) == PEERS["stfpm"]
    changed = find_peer("cflow", ["cflow:epochs=3", "size=96"])
    assert (changed.epochs, changed.size) == (3, 96)
    assert "epochs 3" in changed.departs


@pytest.mark.parametrize("text", ["speed=3", "epochs=many", "nobody:epochs=3", "epochs"])
def test_an_override_that_changes_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        find_peer("stfpm", [text])
    with pytest.raises(ConfigError, match="no peer 'nobody'"):
        find_peer("nobody")


def test_a_process_gives_its_outcome_and_its_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_worker.py").write_text(WORKER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = run_process("some_worker", tmp_path / "job", {"number": 21})
    assert outcome["doubled"] == 42
    assert outcome["peak_megabytes"] > 10
    assert outcome["versions"]["mintad"]
    assert [file.name for file in (tmp_path / "job").iterdir()] == [LOG_FILE]


def test_a_process_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_worker.py").write_text(WORKER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = run_process("some_worker", tmp_path / "job", "break")  # type: ignore[arg-type]
    assert outcome == {"not_run": "RuntimeError: no such / thing"}
    outcome = run_process("some_worker", tmp_path / "job", {}, tmp_path / "no-python")
    assert "could not be started" in outcome["not_run"]


@pytest.mark.skipif(find_spec("anomalib") is None, reason="anomalib is not installed")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["padim", "dfm"])
def test_a_peer_of_one_pass_is_measured_on_our_backbone(tree: Path, name: str) -> None:
    from mintad.data import read
    from mintad_lab.peers.measuring import run_peer

    outcome = run_peer(find_peer(name, ["size=96"]), read(tree), separate=True, seed=0)
    assert outcome["evaluation"]["macro"]["i_auroc"] > 0.9


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
