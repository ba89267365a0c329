from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mintad
from mintad.bundle import Manifest, write_bundle
from mintad.bundle.bundle import read_manifest
from mintad.errors import BundleError, StorageError
from mintad.system.files import exclusive, json_text


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
    assert names(bundle.path) == sorted([manifest.version, "manifest.json"])
    assert names(bundle.path / manifest.version) == sorted(manifest.files)
    assert bundle.digest == manifest.computed_digest()


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def stored(bundle: Path, name: str) -> Path:
    return mintad.load(bundle).file(name)


def test_a_changed_byte_is_found(copy: Path) -> None:
    file = stored(copy, "model.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.safetensors was changed"):
        mintad.load(copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    stored(copy, "backbone.safetensors").unlink()
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


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 3}', "[" * 100_000])
def test_a_damaged_manifest_is_refused(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
        mintad.load(copy)


def test_writing_replaces_a_bundle_whole(run: Path, tmp_path: Path) -> None:
    manifest = without_graphs(mintad.load(run).manifest)
    place = tmp_path / "bundle"
    write_bundle(place, manifest, {"a.safetensors": {"x": np.arange(3)}})
    written = write_bundle(place, manifest, {"b.safetensors": {"y": np.ones((2, 2), np.float16)}})
    assert names(place / written.manifest.version) == ["b.safetensors"]
    assert list(tmp_path.iterdir()) == [place]
    np.testing.assert_array_equal(written.tensors("b.safetensors")["y"], np.ones((2, 2)))
    assert mintad.load(place).manifest == written.manifest


def test_a_failed_write_leaves_the_old_bundle(run: Path, tmp_path: Path) -> None:
    manifest = without_graphs(mintad.load(run).manifest)
    place = tmp_path / "bundle"
    write_bundle(place, manifest, {"a.safetensors": {"x": np.arange(3)}})
    with pytest.raises(Exception):  # noqa: B017
        write_bundle(place, manifest, {"no/such/folder.safetensors": {"x": np.arange(3)}})
    assert mintad.load(place).tensors("a.safetensors")["x"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [place]


def without_graphs(manifest: Manifest) -> Manifest:
    return manifest.model_copy(update={"graphs": ()})


def test_the_version_before_stays_for_those_who_have_it_open(run: Path, tmp_path: Path) -> None:
    manifest = without_graphs(mintad.load(run).manifest)
    first, second, third = (
        write_bundle(tmp_path / "bundle", manifest, {"a.safetensors": {"x": np.arange(count)}})
        for count in (1, 2, 3)
    )
    assert second.tensors("a.safetensors")["x"].tolist() == [0, 1]
    assert names(third.path) == sorted(
        [second.manifest.version, third.manifest.version, "manifest.json"]
    )
    with pytest.raises(BundleError, match="cannot be read"):
        first.tensors("a.safetensors")


def test_what_was_changed_after_it_was_checked_is_not_read(copy: Path) -> None:
    bundle = mintad.load(copy)
    file = bundle.file("model.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match="was changed"):
        bundle.tensors("model.safetensors")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_bit_of_the_manifest_can_be_another(run: Path, data: st.DataObject) -> None:
    file = run / "bundle" / "manifest.json"
    content = bytearray(file.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "manifest.json"
        place.write_bytes(content)
        with pytest.raises(BundleError):
            read_manifest(place)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"products": []}, "products"),
        ({"files": {"../model.safetensors": {"sha256": "0", "bytes": 1}}}, "plain name"),
        ({"files": {".hidden": {"sha256": "0", "bytes": 1}}}, "plain name"),
        ({"products": [{"name": "a", "train_images": 1, "spread": 0.0}]}, "greater than 0"),
        ({"products": [{"name": "a", "train_images": 1}] * 2}, "one name"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(
    copy: Path, change: dict[str, object], message: str
) -> None:
    """Even where its digest is right: it was written so."""
    file = copy / "manifest.json"
    content = json.loads(file.read_text(encoding="utf-8")) | change
    file.write_text(json_text(content), encoding="utf-8")
    with pytest.raises(BundleError, match=message):
        mintad.load(copy)


def test_links_and_pipes_are_not_followed(copy: Path) -> None:
    file = stored(copy, "backbone.safetensors")
    elsewhere = file.with_name("elsewhere")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    with pytest.raises(BundleError, match="cannot be read"):
        mintad.load(copy)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(BundleError, match="no regular file"):
        mintad.load(copy)


def test_a_folder_with_something_else_is_left_alone(run: Path, tmp_path: Path) -> None:
    manifest = mintad.load(run).manifest
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(BundleError, match=r"something else than a bundle: thesis\.txt"):
        write_bundle(tmp_path / "bundle", manifest, {})
    assert names(tmp_path / "bundle") == ["thesis.txt"]


def test_two_writers_do_not_meet(run: Path, tmp_path: Path) -> None:
    manifest = without_graphs(mintad.load(run).manifest)
    place = tmp_path / "bundle"
    write_bundle(place, manifest, {"a.safetensors": {"x": np.arange(3)}})
    with (
        exclusive(place / ".lock", "The bundle"),
        pytest.raises(StorageError, match="in use by another process"),
    ):
        write_bundle(place, manifest, {"a.safetensors": {"x": np.arange(4)}})
    assert mintad.load(place).tensors("a.safetensors")["x"].tolist() == [0, 1, 2]


WRITER = """
import sys
from pathlib import Path
import numpy as np
import mintad
from mintad.bundle import write_bundle
manifest = mintad.load(sys.argv[1]).manifest.model_copy(update={"graphs": ()})
print("ready", flush=True)
number = 0
while True:
    number += 1
    write_bundle(sys.argv[2], manifest, {"a.safetensors": {"x": np.full(50_000, number)}})
"""


def values_of(place: Path) -> set[int]:
    """The values in the bundle's file; once more where it was replaced twice meanwhile."""
    bundle = mintad.load(place)
    try:
        return set(bundle.tensors("a.safetensors")["x"].tolist())
    except BundleError:
        assert mintad.load(place).digest != bundle.digest
        return values_of(place)


def test_a_killed_writer_leaves_the_old_bundle_or_the_new_one(run: Path, tmp_path: Path) -> None:
    """And whoever reads meanwhile never sees a mixture."""
    place = tmp_path / "bundle"
    rng = np.random.default_rng(0)
    for _ in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(run), str(place)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        stop = time.monotonic() + rng.uniform(0.02, 0.12)
        while time.monotonic() < stop:
            if (place / "manifest.json").is_file():
                assert len(values_of(place)) == 1
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        if (place / "manifest.json").is_file():
            assert len(values_of(place)) == 1
    manifest = without_graphs(mintad.load(run).manifest)
    write_bundle(place, manifest, {"a.safetensors": {"x": np.zeros(3)}})
    assert len(names(place)) <= 3
