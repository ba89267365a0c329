"""Small images and trees for the tests of the data package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Painter = Callable[..., NDArray[np.uint8]]
Writer = Callable[..., Path]


@pytest.fixture
def paint() -> Painter:
    """Random pixels `uint8 (height, width, 3)`, another image for every seed."""

    def painted(seed: int = 0, height: int = 12, width: int = 16) -> NDArray[np.uint8]:
        rng = np.random.default_rng(seed)
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)

    return painted


@pytest.fixture
def write(tmp_path: Path, paint: Painter) -> Writer:
    """Write an image under `tmp_path`; without pixels, one that depends on its path alone."""

    def written(place: str, pixels: NDArray[np.generic] | None = None) -> Path:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        image = paint(int.from_bytes(place.encode(), "big")) if pixels is None else pixels
        Image.fromarray(image).save(path)
        return path

    return written


@pytest.fixture
def write_mask(write: Writer) -> Writer:
    """Write a mask of 12 x 16 pixels with a marked corner."""

    def written(place: str, shape: tuple[int, int] = (12, 16), value: int = 255) -> Path:
        mask = np.zeros(shape, np.uint8)
        mask[:3, :4] = value
        return write(place, mask)

    return written


@pytest.fixture
def mvtec_tree(tmp_path: Path, write: Writer, write_mask: Writer) -> Path:
    """A clean tree of two products, bolt and nut, in the MVTec layout."""
    for product in ("bolt", "nut"):
        for number in range(10):
            write(f"line/{product}/train/good/{number:03d}.png")
        for number in range(2):
            write(f"line/{product}/test/good/{number:03d}.png")
            write(f"line/{product}/test/crack/{number:03d}.png")
            write_mask(f"line/{product}/ground_truth/crack/{number:03d}_mask.png")
    return tmp_path / "line"
