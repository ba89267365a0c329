"""A run from the first image to the bundle: seeds, resume, stops, and what is refused."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import mintad
from mintad.errors import ConfigError, DataError, StorageError
from mintad.features import FeatureShape
from mintad.system.files import exclusive
from mintad.training import CHECKPOINT, fitting
from mintad.training.features import EpochBatches, TrainingFeatures, hold_out


def weights(run: Path) -> dict[str, np.ndarray[Any, Any]]:
    return mintad.load(run).tensors("model.safetensors")


def assert_same(run: Path, other: Path) -> None:
    ours, theirs = weights(run), weights(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


class StopAfter(fitting.SaveEachEpoch):
    """Stops the run once it has saved the given number of epochs, as a kill would."""

    epochs = 1
    error: BaseException = KeyboardInterrupt()

    def on_train_epoch_end(self, trainer: Any, module: object) -> None:
        super().on_train_epoch_end(trainer, module)
        if trainer.current_epoch + 1 == self.epochs:
            raise self.error


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_resumed_weights_are_those_of_an_uninterrupted_run(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path, average: float
) -> None:
    options: dict[str, Any] = {
        "recipe": tiny_recipe,
        "cache": cache,
        "overrides": {"training.average": average, "training.schedule": "one-cycle"},
    }
    mintad.train(tree, tmp_path / "whole", **options)
    with patch.object(fitting, "SaveEachEpoch", StopAfter), pytest.raises(KeyboardInterrupt):
        mintad.train(tree, tmp_path / "stopped", **options)
    assert not (tmp_path / "stopped" / "bundle").exists()
    mintad.train(tree, tmp_path / "stopped", resume=True, cache=cache)
    assert_same(tmp_path / "whole", tmp_path / "stopped")


def test_the_seed_decides_the_weights(
    tree: Path, tiny_recipe: Path, cache: Path, run: Path, tmp_path: Path
) -> None:
    mintad.train(tree, tmp_path / "same", recipe=tiny_recipe, cache=cache)
    assert_same(run, tmp_path / "same")
    mintad.train(tree, tmp_path / "other", recipe=tiny_recipe, cache=cache, overrides={"seed": 1})
    ours, theirs = weights(run), weights(tmp_path / "other")
    assert any(not np.array_equal(ours[name], theirs[name]) for name in ours)


def test_streaming_gives_the_weights_of_the_cache(
    tree: Path, tiny_recipe: Path, run: Path, tmp_path: Path
) -> None:
    mintad.train(tree, tmp_path / "stream", recipe=tiny_recipe, use_cache=False)
    assert_same(run, tmp_path / "stream")


def test_a_run_directory_tells_how_it_was_made(run: Path) -> None:
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert about["recipe"]["training"]["epochs"] == 3
    assert about["data"]["good_training_images"] == {"blobs": 10, "stripes": 10}
    assert about["versions"]["torch"]
    assert (run / "logs" / "metrics.csv").read_text(encoding="utf-8").count("\n") >= 3
    assert list((run / "logs").glob("events.out.tfevents*"))


def test_a_finished_run_is_not_overwritten(tree: Path, tiny_recipe: Path, run: Path) -> None:
    with pytest.raises(ConfigError, match="already holds a run"):
        mintad.train(tree, run, recipe=tiny_recipe)


def test_a_folder_with_other_files_is_left_alone(
    tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "metrics.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"files that are of no run, metrics\.json"):
        mintad.train(tree, tmp_path, recipe=tiny_recipe)
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_a_folder_belongs_to_one_training_at_a_time(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    with (
        exclusive(out / ".lock", "The folder"),
        pytest.raises(StorageError, match="in use by another process"),
    ):
        mintad.train(tree, out, recipe=tiny_recipe, cache=cache)
    assert not list(out.glob("*"))
    mintad.train(tree, out, recipe=tiny_recipe, cache=cache)
    assert not (out / ".lock").exists()


class Harm:
    """What it does when it is unpickled is seen on the disk."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.place,)


@pytest.mark.parametrize("harm", ["code", "bit"])
def test_a_checkpoint_that_was_changed_is_refused(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path, harm: str
) -> None:
    out = tmp_path / "run"
    with patch.object(fitting, "SaveEachEpoch", StopAfter), pytest.raises(KeyboardInterrupt):
        mintad.train(tree, out, recipe=tiny_recipe, cache=cache)
    checkpoint = out / CHECKPOINT
    if harm == "code":
        torch.save({"state_dict": Harm(tmp_path / "done")}, checkpoint)
    else:
        content = bytearray(checkpoint.read_bytes())
        content[len(content) // 2] ^= 1
        checkpoint.write_bytes(content)
    with pytest.raises(ConfigError, match="damaged, or it is not from mintad"):
        mintad.train(tree, out, resume=True, cache=cache)
    assert not (tmp_path / "done").exists()
    checkpoint.unlink()
    assert mintad.train(tree, out, resume=True, cache=cache).path == out / "bundle"


def test_epochs_without_anything_to_train_are_refused(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    closed = {"switches.start": "subspaces", "switches.transformer": False}
    with pytest.raises(ConfigError, match=r"asks for 3 epochs.*nothing to train"):
        mintad.train(tree, tmp_path / "run", recipe=tiny_recipe, cache=cache, overrides=closed)
    assert not (tmp_path / "run").exists()


def test_resume_needs_the_same_images(
    own_tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    with patch.object(fitting, "SaveEachEpoch", StopAfter), pytest.raises(KeyboardInterrupt):
        mintad.train(own_tree, tmp_path / "run", recipe=tiny_recipe, cache=cache)
    (own_tree / "blobs" / "train" / "good" / "000.png").unlink()
    with pytest.raises(ConfigError, match="not those"):
        mintad.train(own_tree, tmp_path / "run", resume=True, cache=cache)


def test_resume_without_a_run_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run to resume"):
        mintad.train(tree, tmp_path / "nothing", resume=True)


def test_a_full_disk_keeps_the_last_checkpoint(
    tree: Path, tiny_recipe: Path, cache: Path, run: Path, tmp_path: Path
) -> None:
    class FullDisk(StopAfter):
        error = OSError(errno.ENOSPC, "No space left on device")

    with (
        patch.object(fitting, "SaveEachEpoch", FullDisk),
        pytest.raises(StorageError, match=r"disk is full.*Free some space"),
    ):
        mintad.train(tree, tmp_path / "run", recipe=tiny_recipe, cache=cache)
    mintad.train(tree, tmp_path / "run", resume=True, cache=cache)
    assert_same(run, tmp_path / "run")


def test_a_product_with_one_image_is_refused_by_name(
    own_tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    for file in sorted((own_tree / "blobs" / "train" / "good").iterdir())[1:]:
        file.unlink()
    with pytest.raises(DataError, match=r"blobs has 1 good training image;"):
        mintad.train(own_tree, tmp_path / "run", recipe=tiny_recipe)
    assert not (tmp_path / "run").exists()


def test_a_corrupt_image_among_good_ones_is_named(
    own_tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    bad = own_tree / "stripes" / "train" / "good" / "003.png"
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(DataError, match=r"stripes.train.good.003\.png"):
        mintad.train(own_tree, tmp_path / "run", recipe=tiny_recipe, cache=tmp_path / "cache")


def test_hold_out_takes_its_share_of_each_product() -> None:
    products = np.repeat([0, 1, 2], [50, 10, 3])
    kept, held = hold_out(products, 0.2, seed=0)
    assert np.bincount(products[held]).tolist() == [10, 2, 1]
    assert sorted([*kept, *held]) == list(range(63))
    assert not np.array_equal(held, hold_out(products, 0.2, seed=1)[1])


def test_processes_share_an_epoch_without_a_row_twice() -> None:
    products = np.zeros(50, np.int64)
    shape = FeatureShape(stage_channels=(1,), grids=((1, 1),), image_size=(8, 8))
    features = TrainingFeatures(
        lambda images: images[:, None, None].astype(np.float16), shape, products
    )

    def steps(batch_size: int, epoch: int, **process: int) -> list[list[float]]:
        batches = EpochBatches(features, batch_size, 0, epoch, **process)
        return [batch.rows.flatten().tolist() for batch in batches]

    whole = steps(8, epoch=3)
    halves = [steps(4, epoch=3, rank=rank, world=2) for rank in range(2)]
    assert sorted(image for images in whole for image in images) == list(range(50))
    assert len(halves[0]) == len(halves[1])
    for both, first, second in zip(whole, *halves, strict=False):
        assert sorted(both) == sorted(first + second)
    assert whole != steps(8, epoch=4)
