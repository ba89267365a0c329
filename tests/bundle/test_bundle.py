from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import mintad
from mintad.bundle import write_bundle
from mintad.errors import BundleError


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run / "bundle", tmp_path / "bundle"))


def test_a_bundle_is_found_by_its_run_and_says_what_it_is(run: Path) -> None:
    bundle = mintad.load(run)
    manifest = bundle.manifest
    assert bundle.path == run / "bundle"
    assert manifest.product_names == ("blobs", "stripes")
    assert [product.train_images for product in manifest.products] == [10, 10]
    assert [product.held_out_images for product in manifest.products] == [2, 2]
    assert manifest.preprocessing.height == 64
    assert manifest.licences["mintad"] == "Apache-2.0"
    assert set(manifest.files) == {"model.safetensors", "backbone.safetensors"}
    assert sorted(file.name for file in bundle.path.iterdir()) == sorted(
        [*manifest.files, "manifest.json"]
    )


def test_a_changed_byte_is_found(copy: Path) -> None:
    file = copy / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.safetensors was changed"):
        mintad.load(copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "backbone.safetensors").unlink()
    with pytest.raises(BundleError, match=r"backbone\.safetensors is missing"):
        mintad.load(copy)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a bundle"):
        mintad.load(tmp_path)


def test_another_format_is_refused(copy: Path) -> None:
    content = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    (copy / "manifest.json").write_text(json.dumps(content | {"format": 99}), encoding="utf-8")
    with pytest.raises(BundleError, match="format 99"):
        mintad.load(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}'])
def test_a_damaged_manifest_is_refused(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
        mintad.load(copy)


def test_writing_replaces_a_bundle_whole(run: Path, tmp_path: Path) -> None:
    manifest = mintad.load(run).manifest
    place = tmp_path / "bundle"
    write_bundle(place, manifest, {"a.safetensors": {"x": np.arange(3)}})
    written = write_bundle(place, manifest, {"b.safetensors": {"y": np.ones((2, 2), np.float16)}})
    assert sorted(file.name for file in place.iterdir()) == ["b.safetensors", "manifest.json"]
    assert list(tmp_path.iterdir()) == [place]
    np.testing.assert_array_equal(written.tensors("b.safetensors")["y"], np.ones((2, 2)))
    assert mintad.load(place).manifest == written.manifest


def test_a_failed_write_leaves_the_old_bundle(run: Path, tmp_path: Path) -> None:
    manifest = mintad.load(run).manifest
    place = tmp_path / "bundle"
    write_bundle(place, manifest, {"a.safetensors": {"x": np.arange(3)}})
    with pytest.raises(Exception):  # noqa: B017
        write_bundle(place, manifest, {"no/such/folder.safetensors": {"x": np.arange(3)}})
    assert mintad.load(place).tensors("a.safetensors")["x"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [place]
