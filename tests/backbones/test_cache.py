from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mintad.backbones import (
    Backbone,
    BackboneConfig,
    FeatureCache,
    cache,
    create_backbone,
    stream_features,
)
from mintad.backbones.table import open_shard
from mintad.data import MemoryImage, Preprocessing, Sample
from mintad.errors import ImageError, StorageError, WeightsError
from mintad.features import Features
from mintad.system.directory import default_cache_directory

NAME = "timm:mobilenetv3_small_050"


def build() -> Backbone:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = BackboneConfig(name=NAME, weights="random", input_size=(64, 64), stages=(1, 2))
        return create_backbone(config)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return build()


@pytest.fixture
def preprocessing(backbone: Backbone) -> Preprocessing:
    return backbone.preprocessing()


@pytest.fixture
def calls(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One number for each run of the backbone: the size of its batch."""
    sizes: list[int] = []
    forward = Backbone.forward

    def counted(self: Backbone, images: torch.Tensor) -> Features:
        sizes.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(Backbone, "forward", counted)
    return sizes


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 56, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def make(*seeds: int) -> list[Sample]:
    return [Sample("nut", "train", MemoryImage(f"{seed}.png", picture(seed))) for seed in seeds]


def kept_images(directory: Path) -> int:
    """How many images' features lie in whole shards."""
    shards = [open_shard(path) for path in directory.rglob("[!.]*.npy")]
    return sum(len(shard.digests) for shard in shards if shard is not None)


def streamed(samples: list[Sample], backbone: Backbone, **options: Any) -> np.ndarray:
    parts = list(stream_features(samples, backbone, backbone.preprocessing(), **options))
    indices = np.concatenate([indices for indices, _ in parts])
    assert indices.tolist() == list(range(len(samples)))
    return np.concatenate([tokens for _, tokens in parts])


def test_the_table_holds_the_backbones_tokens(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing
) -> None:
    from mintad.data import decode_image, normalise, prepare_image

    samples = make(0, 1, 2)
    table = FeatureCache(tmp_path).features(samples, backbone, preprocessing)
    assert table.shape == backbone.shape(64, 64)
    assert table.shape.grids == ((4, 4),)
    assert len(table) == 3
    images = np.stack([prepare_image(decode_image(s.image), preprocessing) for s in samples])
    with torch.inference_mode():
        expected = backbone(torch.from_numpy(normalise(images, preprocessing))).tokens[[2, 0]]
    result = table[np.array([2, 0])]
    assert result.dtype == np.float16
    np.testing.assert_allclose(result, expected, rtol=2e-3, atol=2e-3)
    tokens = table.features(np.array([2, 0])).tokens
    assert tokens.dtype == torch.float32
    assert np.array_equal(tokens.numpy(), result.astype(np.float32))


def test_stream_and_cache_agree_to_the_bit(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing
) -> None:
    samples = make(*range(11))
    options = {"batch_size": 4, "workers": 0}
    FeatureCache(tmp_path).features(samples[5:8], backbone, preprocessing, **options)
    table = FeatureCache(tmp_path).features(samples, backbone, preprocessing, **options)
    expected = streamed(samples, backbone, **options)
    assert np.array_equal(table[np.arange(11)], expected)
    assert np.array_equal(table[[7, 7, 0]], expected[[7, 7, 0]])
    assert table[[]].shape == (0, 16, backbone.channels)


def test_what_is_cached_never_runs_again(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing, calls: list[int]
) -> None:
    FeatureCache(tmp_path).features(make(0, 1, 2), backbone, preprocessing)
    assert len(calls) == 1
    FeatureCache(tmp_path).features(make(2, 0, 1, 0), backbone, preprocessing)
    assert len(calls) == 1
    reported: list[tuple[str, int, int]] = []
    FeatureCache(tmp_path).features(
        make(0, 1, 2, 3, 4, 3),
        backbone,
        preprocessing,
        batch_size=1,
        progress=lambda *call: reported.append(call),
    )
    assert len(calls) == 3
    assert reported == [("features", 1, 2), ("features", 2, 2)]


def test_the_key_is_the_content_not_the_path(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing, calls: list[int]
) -> None:
    store = FeatureCache(tmp_path / "cache")
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    first.write_bytes(picture(0))
    before = store.features([Sample("nut", "train", first)], backbone, preprocessing)[[0]]
    second.write_bytes(picture(0))
    again = store.features([Sample("bolt", "test", second)], backbone, preprocessing)[[0]]
    assert len(calls) == 1
    assert np.array_equal(before, again)
    first.write_bytes(picture(1))
    changed = store.features([Sample("nut", "train", first)], backbone, preprocessing)[[0]]
    assert len(calls) == 2
    assert not np.array_equal(before, changed)


def test_the_key_holds_preprocessing_and_backbone(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing, calls: list[int]
) -> None:
    store = FeatureCache(tmp_path)
    store.features(make(0), backbone, preprocessing)
    store.features(make(0), backbone, preprocessing.model_copy(update={"resize": "pad"}))
    store.features(make(0), backbone, preprocessing.model_copy(update={"max_pixels": 10_000}))
    other = build()
    with torch.no_grad():
        next(other.parameters()).mul_(1.01)
    store.features(make(0), other, preprocessing)
    assert len(calls) == 3
    assert len(list(tmp_path.glob("features/*"))) == 3


def test_the_table_survives_pickling(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing
) -> None:
    table = FeatureCache(tmp_path).features(make(0, 1), backbone, preprocessing)
    copy = pickle.loads(pickle.dumps(table))
    assert len(pickle.dumps(table)) < 2000
    assert np.array_equal(copy[[1, 0]], table[[1, 0]])


def test_shards_are_written_as_the_run_goes(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing, monkeypatch: Any
) -> None:
    monkeypatch.setattr(cache, "SHARD_BYTES", 1)
    store = FeatureCache(tmp_path)
    seen: list[int] = []
    table = store.features(
        make(*range(6)),
        backbone,
        preprocessing,
        batch_size=2,
        progress=lambda *_: seen.append(kept_images(tmp_path)),
    )
    assert seen == [2, 4, 6]
    monkeypatch.undo()
    assert np.array_equal(table[np.arange(6)], streamed(make(*range(6)), backbone, batch_size=2))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ImageError])
def test_a_broken_off_run_keeps_what_it_did(
    tmp_path: Path,
    backbone: Backbone,
    preprocessing: Preprocessing,
    calls: list[int],
    stop: type[BaseException],
) -> None:
    samples = make(*range(4))
    store = FeatureCache(tmp_path)

    def interrupt(what: str, done: int, total: int) -> None:
        if stop is KeyboardInterrupt and done == 4:
            raise KeyboardInterrupt

    broken = [Sample("nut", "train", MemoryImage("bad.png", b"no image"))]
    with pytest.raises(stop):
        store.features(samples + broken, backbone, preprocessing, batch_size=2, progress=interrupt)
    assert kept_images(tmp_path) == 4
    assert not list(tmp_path.rglob("*.tmp"))
    runs = len(calls)
    store.features(samples, backbone, preprocessing)
    assert len(calls) == runs


def test_leavings_of_a_killed_writer_are_ignored(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing, calls: list[int]
) -> None:
    store = FeatureCache(tmp_path)
    expected = store.features(make(0, 1, 2), backbone, preprocessing)[np.arange(3)].copy()
    (shard,) = tmp_path.rglob("*.npy")
    whole = shard.read_bytes()
    for number, length in enumerate((0, 5, 100, len(whole) // 2, len(whole) - 70, len(whole) - 1)):
        shard.with_name(f"cut{number}.npy").write_bytes(whole[:length])
    shard.unlink()
    young, old = (shard.with_name(f".{name}.npy.1.tmp") for name in ("young", "old"))
    for file in (young, old):
        file.write_bytes(whole[:50])
    os.utime(old, (time.time() - 2 * cache.TEMPORARY_AGE,) * 2)
    with pytest.warns(UserWarning, match="is damaged"):
        table = store.features(make(0, 1, 2), backbone, preprocessing)
    assert len(calls) == 2
    assert np.array_equal(table[np.arange(3)], expected)
    assert young.exists()
    assert not old.exists()


@pytest.mark.parametrize("place", [200, -300, -40])
def test_a_damaged_shard_is_said_and_computed_anew(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing, calls: list[int], place: int
) -> None:
    """One byte in the features, in the images' digests, in the checksums."""
    store = FeatureCache(tmp_path)
    expected = store.features(make(0, 1, 2), backbone, preprocessing)[np.arange(3)].copy()
    (shard,) = tmp_path.rglob("*.npy")
    content = bytearray(shard.read_bytes())
    content[place] ^= 1
    shard.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged: its images are computed anew"):
        table = store.features(make(0, 1, 2), backbone, preprocessing)
    assert len(calls) == 2
    assert np.array_equal(table[np.arange(3)], expected)
    assert not shard.exists()


def fill(directory: Path, start: Any) -> None:
    """What each of the two processes does; the result lies in a file named by the process."""
    torch.set_num_threads(1)
    network = build()
    start.wait(600)
    table = FeatureCache(directory).features(
        make(*range(12)), network, network.preprocessing(), batch_size=3
    )
    np.save(directory / f"result-{os.getpid()}.npy", table[np.arange(12)])


def test_two_processes_at_once(
    tmp_path: Path, backbone: Backbone, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "SHARD_BYTES", 1)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    other = context.Process(target=fill, args=(tmp_path, start))
    threads = torch.get_num_threads()
    other.start()
    fill(tmp_path, start)
    torch.set_num_threads(threads)
    other.join(600)
    assert other.exitcode == 0
    first, second = (np.load(path) for path in tmp_path.glob("result-*.npy"))
    assert np.array_equal(first, second)
    calls.clear()
    table = FeatureCache(tmp_path).features(make(*range(12)), backbone, backbone.preprocessing())
    assert not calls
    assert np.array_equal(table[np.arange(12)], first)


def test_too_little_space_is_told_before_the_start(
    tmp_path: Path,
    backbone: Backbone,
    preprocessing: Preprocessing,
    calls: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(StorageError, match="only 0 MB are free") as caught:
        FeatureCache(tmp_path).features(make(0), backbone, preprocessing)
    assert str(tmp_path) in caught.value.problem
    assert "--no-cache" in caught.value.mend
    assert not calls


def test_a_disk_that_fills_up_leaves_whole_shards(
    tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing, monkeypatch: Any
) -> None:
    import errno

    monkeypatch.setattr(cache, "SHARD_BYTES", 1)
    store = FeatureCache(tmp_path)
    synced = os.fsync

    def full(descriptor: int) -> None:
        if len(list(tmp_path.rglob("[!.]*.npy"))) >= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(descriptor)

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="full"):
        store.features(make(*range(6)), backbone, preprocessing, batch_size=1)
    assert kept_images(tmp_path) == 2
    assert not list(tmp_path.rglob("*.tmp"))


def test_values_beyond_half_precision_are_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = build()
    forward = Backbone.forward

    def scaled(factor: float) -> Callable[[Backbone, torch.Tensor], Features]:
        return lambda self, images: Features(tokens=forward(self, images).tokens * factor)

    monkeypatch.setattr(Backbone, "forward", scaled(1e9))
    tokens = streamed(make(0), backbone)
    assert np.isfinite(tokens).all()
    assert np.abs(tokens).max() == 65504
    monkeypatch.setattr(Backbone, "forward", scaled(float("nan")))
    with pytest.raises(WeightsError, match="not numbers"):
        streamed(make(0), backbone)


def test_no_images(tmp_path: Path, backbone: Backbone, preprocessing: Preprocessing) -> None:
    table = FeatureCache(tmp_path).features([], backbone, preprocessing)
    assert len(table) == 0
    assert not list(tmp_path.iterdir())


def test_the_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path))
    assert default_cache_directory() == tmp_path == FeatureCache().directory
    monkeypatch.delenv("MINTAD_CACHE")
    assert default_cache_directory().name == "mintad"
