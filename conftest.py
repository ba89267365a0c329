"""A tiny data set, a tiny recipe and a run made from them, shared by all tests."""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models: threads cost more than they give

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import mintad

TINY = """
model = "mint-ad"
export = false

[switches]
dim = 16
heads = 2
feed_forward = 32
encoder_layers = 1
decoder_layers = 1
token_dim = 8
token_source = "pooled"
token_activation = "layernorm"
standardise = true

[backbone]
name = "timm:test_efficientnet"
stages = [1, 2]
weights = "random"
input_size = [64, 64]
stride = 8

[training]
epochs = 3
batch_size = 4
learning_rate = 1e-2
precision = "float32"
holdout = 0.2
"""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    """A test draws the same random numbers whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


def picture(product: str, seed: int) -> NDArray[np.uint8]:
    """A 48x64 picture: stripes for one product, blobs for another, with noise."""
    rng = np.random.default_rng((seed, len(product)))
    y, x = np.mgrid[0:48, 0:64]
    wave = np.sin(x / 3) if product == "stripes" else np.sin(x / 5) * np.cos(y / 5)
    grey = 128 + 60 * wave + rng.normal(0, 6, wave.shape)
    tint = (1.0, 0.8, 0.6) if product == "stripes" else (0.5, 0.9, 1.0)
    return np.clip(grey[..., None] * np.array(tint), 0, 255).astype(np.uint8)


def write_tree(
    root: Path, products: tuple[str, ...] = ("stripes", "blobs"), train: int = 10, test: int = 4
) -> Path:
    """An MVTec tree with `train` good images and `test` good and defective ones per product."""
    for product in products:
        for split, kind, count, offset in (
            ("train", "good", train, 0),
            ("test", "good", test, 1000),
            ("test", "hole", test, 2000),
        ):
            for i in range(count):
                image = picture(product, offset + i)
                file = root / product / split / kind / f"{i:03}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                if kind == "hole":
                    mask = np.zeros((48, 64), np.uint8)
                    mask[10 + i : 26 + i, 20 : 40 + i] = 255
                    image[mask > 0] = (255, 0, 255)
                    place = root / product / "ground_truth" / kind / f"{i:03}_mask.png"
                    place.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(mask).save(place)
                Image.fromarray(image).save(file)
    return root


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data set; not to be changed."""
    return write_tree(tmp_path_factory.mktemp("data"))


@pytest.fixture
def own_tree(tmp_path: Path) -> Path:
    """The tiny data set, for a test to damage."""
    return write_tree(tmp_path / "data")


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that trains in a second."""
    file = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    file.write_text(TINY, encoding="utf-8")
    return file


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cache that the tests share; the user's own is neither read nor written."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MINTAD_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def run(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A finished run on the tiny data set; not to be changed."""
    pytest.importorskip("torch")

    out = tmp_path_factory.mktemp("runs") / "run"
    mintad.train(tree, out, recipe=tiny_recipe, cache=cache)
    return out


@pytest.fixture(scope="session")
def exported_run(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run in closed form whose bundle holds OpenVINO and ONNX graphs; not to be changed."""
    pytest.importorskip("torch")
    from mintad.exporting import export_graphs

    out = tmp_path_factory.mktemp("runs") / "exported"
    switches = {"start": "subspaces", "transformer": False, "rank": 4, "code": 16}
    overrides = {f"switches.{name}": value for name, value in switches.items()}
    bundle = mintad.train(
        tree, out, recipe=tiny_recipe, cache=cache, overrides=overrides | {"training.epochs": 0}
    )
    export_graphs(bundle, mintad.read(tree), formats=["openvino", "onnx"])
    return out


def calling(main: Callable[[], None], program: str) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line in this process: exit status, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        words = [program, *(str(argument) for argument in arguments)]
        with (
            patch.object(sys, "argv", words),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
                status = 0
            except SystemExit as stop:
                status = int(stop.code or 0)
        return status, out.getvalue(), err.getvalue()

    return call


@pytest.fixture
def command() -> Callable[..., tuple[int, str, str]]:
    """Runs `mintad` in this process: exit status, standard output, standard error."""
    from mintad.cli import main

    return calling(main, "mintad")


@pytest.fixture
def lab_command() -> Callable[..., tuple[int, str, str]]:
    """The same for `mintad-lab`."""
    from mintad_lab.cli import main

    return calling(main, "mintad-lab")
