"""An Inspector without a network: its raw map is the red channel, its raw score the map's sum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mintad.bundle import Bundle, ProductEntry, RawPrediction
from mintad.data import Preprocessing
from mintad.inspection import Inspector

PRODUCTS = (
    ProductEntry(name="bolt", train_images=1, centre=2.0, spread=0.5),
    ProductEntry(name="nut", train_images=1, centre=10.0, spread=4.0),
)


class RedEngine:
    """How it was opened is kept in `opened`, what it was given in `calls`."""

    def __init__(self, logits: list[Any] | None, name: str, live: bool) -> None:
        self.logits = logits
        self.opened = (name, live)
        self.calls: list[tuple[NDArray[np.uint8], NDArray[np.int64]]] = []

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        self.calls.append((images, products))
        maps = images[..., 0].astype(np.float32)
        logits = None
        if self.logits is not None:
            rows = np.atleast_2d(np.array(self.logits, np.float32))
            logits = np.resize(rows, (len(images), rows.shape[1]))
        return RawPrediction(maps, maps.sum(axis=(1, 2)), logits)


@pytest.fixture
def red_inspector(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Inspector]:
    """Makes Inspectors that take images of 4 x 4 pixels, padded, and know bolts and nuts."""

    def make(
        logits: list[Any] | None = None, needs_product: bool = False, **options: Any
    ) -> Inspector:
        manifest = SimpleNamespace(
            products=PRODUCTS,
            product_names=("bolt", "nut"),
            preprocessing=Preprocessing(height=4, width=4, resize="pad", mean=(0, 0, 0)),
            model=SimpleNamespace(name="red", needs_product=needs_product),
        )

        def resolve(_: Bundle, name: str | None, *, live: bool) -> str:
            return f"{'red' if name is None else name}:float32"

        place = "mintad.inspection.inspector"
        monkeypatch.setattr(f"{place}.resolve_engine", resolve)
        monkeypatch.setattr(
            f"{place}.open_engine", lambda _, name, *, live: RedEngine(logits, name, live)
        )
        return Inspector(Bundle(Path("run/bundle"), manifest), **options)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def red() -> Callable[[list[list[int]]], NDArray[np.uint8]]:
    """Makes an image with these values in its red channel."""

    def make(values: list[list[int]]) -> NDArray[np.uint8]:
        image = np.zeros((len(values), len(values[0]), 3), np.uint8)
        image[..., 0] = values
        return image

    return make
