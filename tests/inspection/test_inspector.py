from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("torch")

import mintad
from mintad.engines import open_engine
from mintad.errors import ConfigError
from mintad.inspection import Inspector


@pytest.fixture(scope="module")
def inspector(run: Path) -> Inspector:
    return Inspector(run, batch_size=3)


@pytest.fixture
def images(tree: Path) -> list[Path]:
    return sorted(tree.glob("*/test/*/*.png"))


def test_paths_and_arrays_give_the_same(inspector: Inspector, images: list[Path]) -> None:
    arrays = [np.asarray(Image.open(file).convert("RGB")) for file in images]
    for by_path, by_array in zip(inspector(images), inspector(arrays), strict=True):
        assert by_path.raw_score == by_array.raw_score
        assert by_path.product == by_array.product


def test_results_do_not_depend_on_the_batch(run: Path, images: list[Path]) -> None:
    alone = list(Inspector(run, batch_size=1)(images))
    together = list(Inspector(run, batch_size=8)(images))
    for apart, among in zip(alone, together, strict=True):
        assert apart.raw_score == pytest.approx(among.raw_score, rel=1e-4)
        np.testing.assert_allclose(apart.anomaly_map, among.anomaly_map, rtol=1e-3, atol=1e-3)


def test_the_score_is_on_the_scale_of_its_product(inspector: Inspector, images: list[Path]) -> None:
    entries = {product.name: product for product in inspector.bundle.manifest.products}
    for result in inspector(images):
        assert result.product is not None
        assert result.raw_score is not None
        entry = entries[result.product]
        assert result.score == pytest.approx((result.raw_score - entry.centre) / entry.spread)


def test_a_product_may_be_given_or_recognised(inspector: Inspector, images: list[Path]) -> None:
    for result in inspector(images[:2], "stripes"):
        assert (result.product, result.product_given) == ("stripes", True)
        assert result.product_probability is None
    for result in inspector(images[:2], [None, "blobs"]):
        assert result.product in inspector.products
    recognised = next(iter(inspector(images[:1])))
    assert not recognised.product_given
    assert 0 < (recognised.product_probability or 0) <= 1


def test_an_unknown_product_is_refused_with_the_known_ones(
    inspector: Inspector, images: list[Path]
) -> None:
    with pytest.raises(ConfigError, match=r"bolt.*blobs, stripes"):
        list(inspector(images, "bolt"))


def test_unreadable_images_get_an_error_and_the_stream_goes_on(
    inspector: Inspector, images: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "text.png"
    text.write_text("not an image", encoding="utf-8")
    empty = tmp_path / "empty.png"
    empty.touch()
    wrong = np.zeros((4, 4, 7), np.uint8)
    results = list(inspector([images[0], text, empty, tmp_path / "none.png", wrong, images[1]]))
    assert [result.error is None for result in results] == [True, False, False, False, False, True]
    assert "text.png" in (results[1].error or "")
    assert results[1].raw_score is None


def test_an_endless_stream_is_read_in_bounded_steps(inspector: Inspector) -> None:
    taken = 0

    def camera() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        while True:
            taken += 1
            yield np.full((8, 8, 3), taken % 255, np.uint8)

    assert len(list(itertools.islice(inspector(camera()), 10))) == 10
    assert taken < 30


def test_an_unknown_engine_is_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match="torch"):
        open_engine(mintad.load(run), "abacus")
