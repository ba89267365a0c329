"""What commands say of data that they leave out, and what can be said to them about data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mintad
from mintad.data import MemoryImage, decode_image

pytest.importorskip("torch")

Command = Callable[..., tuple[int, str, str]]


def deepen(root: Path, bits: int = 12) -> None:
    """Every image of `root` in grey of 16 stored bits, of which the lower `bits` are used."""
    for file in root.rglob("*.png"):
        if "ground_truth" not in file.parts:
            grey = np.asarray(Image.open(file).convert("L")).astype(np.uint16)
            Image.fromarray(grey << (bits - 8)).save(file)


def test_train_and_evaluate_say_what_is_left_out(
    command: Command, own_tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    good = own_tree / "blobs/train/good"
    shutil.copytree(good, good / "camera2")
    told = (
        f"10 files in 1 place under the data were left out, the first: 10 images in {good}/camera2"
    )
    run = tmp_path / "run"
    words = ("train", own_tree, "--recipe", tiny_recipe, "--out", run, "--cache", cache)
    status, printed, _ = command(*words)
    assert status == 0
    assert printed.startswith(f"20 good training images of 2 products\n{told}")
    status, printed, _ = command("evaluate", run, own_tree, "--engine", "torch")
    assert status == 0
    assert printed.startswith(told)
    status, printed, _ = command("validate", own_tree)
    assert "camera2 are left out" in printed
    with pytest.warns(UserWarning, match="10 files in 1 place"):
        mintad.validate(own_tree)


def test_a_name_that_sounds_good_is_asked_about_and_answered(
    command: Command, own_tree: Path
) -> None:
    (own_tree / "blobs/test/good").rename(own_tree / "blobs/test/OK")
    status, _, errors = command("validate", own_tree)
    assert status == 2
    assert "--good OK" in errors
    for option in ("--good", "--bad"):
        status, printed, _ = command("validate", own_tree, option, "OK")
        assert status == 0
        assert printed.splitlines()[-1].startswith("36 images of 2 products")
    status, _, errors = command("validate", own_tree, "--good", "OK", "--good", "OKAY")
    assert status == 2
    assert "called OKAY" in errors


def test_limits_are_those_of_the_recipe_in_the_bundle_and_in_inspection(
    own_tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path, command: Command
) -> None:
    deepen(own_tree)
    _, printed, _ = command("validate", own_tree)
    assert "--set bit_depth=12" in printed
    assert "no problems" in command("validate", own_tree, "--bit-depth", 12)[1]
    limits = {"bit_depth": 12, "max_pixels": 48 * 64}
    options = {"recipe": tiny_recipe, "cache": cache}
    bundle = mintad.train(own_tree, tmp_path / "deep", overrides=limits, **options)
    assert bundle.manifest.preprocessing.bit_depth == 12
    assert bundle.manifest.preprocessing.max_pixels == 48 * 64
    place = own_tree / "blobs/test/hole/000.png"
    inspector = mintad.Inspector(bundle, engine="torch")
    deep = inspector.one(place)
    same = inspector.one(MemoryImage("eight bits", decode_image(place, bit_depth=12)))
    assert deep.raw_score == same.raw_score
    dark = inspector.one(MemoryImage("dark", decode_image(place)))
    assert dark.raw_score != deep.raw_score
    large = tmp_path / "large.png"
    Image.new("L", (65, 48)).save(large)
    error = inspector.one(large).error
    assert error is not None
    assert "--max-pixels" in error
    raised = mintad.Inspector(bundle, engine="torch", max_pixels=65 * 48)
    assert raised.one(large).error is None
    words = ("inspect", tmp_path / "deep", large, "--no-heatmaps", "--engine", "torch")
    assert command(*words)[0] == 1
    assert command(*words, "--max-pixels", 65 * 48)[0] == 0


def test_another_bit_depth_takes_other_features(
    own_tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    deepen(own_tree)
    cache = tmp_path / "cache"
    scores = []
    for depth in (12, 14):
        overrides = {"bit_depth": depth, "training.epochs": 0}
        run = tmp_path / str(depth)
        mintad.train(own_tree, run, recipe=tiny_recipe, cache=cache, overrides=overrides)
        scores.append(len(list(cache.glob("features/*"))))
    assert scores == [1, 2]
