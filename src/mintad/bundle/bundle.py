"""Reads and writes bundles; nothing is trusted before its hash is checked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from mintad.bundle.manifest import FORMAT, FileEntry, Manifest
from mintad.errors import BundleError
from mintad.system.files import file_digest, storage_errors, write_json
from mintad.system.words import counted, shortened

MANIFEST = "manifest.json"
MODEL_FILE = "model.safetensors"
BACKBONE_FILE = "backbone.safetensors"
Tensors = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are as its manifest says.

    >>> bundle = mintad.load("run")
    >>> bundle
    Bundle('run/bundle', mint-ad, 2 products)
    >>> bundle.manifest.backbone.config.name
    'timm:test_efficientnet'
    """

    path: Path
    manifest: Manifest

    def __repr__(self) -> str:
        products = counted(len(self.manifest.products), "product")
        return f"Bundle({shortened(str(self.path))!r}, {self.manifest.model.name}, {products})"

    def tensors(self, file: str) -> dict[str, NDArray[np.generic]]:
        """The arrays of one of its safetensors files."""
        try:
            return dict(load_file(self.path / file))
        except (OSError, SafetensorError) as error:
            raise BundleError(
                f"{self.path / file} cannot be read: {error}.", "Copy the bundle once more."
            ) from None


def load(path: str | Path) -> Bundle:
    """Opens a bundle, or the bundle of a run directory, and checks every file against its hash.

    Raises `BundleError` where a file is missing or changed or the format is another.

    >>> mintad.load("run").manifest.product_names
    ('blobs', 'stripes')
    """
    path = Path(path)
    if not (path / MANIFEST).is_file() and (path / "bundle" / MANIFEST).is_file():
        path = path / "bundle"
    file = path / MANIFEST
    if not file.is_file():
        raise BundleError(
            f"{path} is not a bundle: it holds no {MANIFEST}.",
            "Name the folder that `mintad train --out` wrote, or its bundle folder.",
        )
    manifest = _read_manifest(file)
    for name, entry in manifest.files.items():
        _check(path / name, entry)
    return Bundle(path, manifest)


def write_bundle(path: str | Path, manifest: Manifest, files: Mapping[str, Tensors]) -> Bundle:
    """Writes a bundle, whole or not at all; one that stood there is replaced at the end.

    `files` maps the names of safetensors files to their arrays. Raises `StorageError` on a full
    disk.
    """

    def fill(folder: Path) -> None:
        for name, tensors in files.items():
            arrays = {key: np.ascontiguousarray(array) for key, array in tensors.items()}
            (folder / name).write_bytes(save(arrays))

    return _write(Path(path), manifest, fill)


def extend_bundle(bundle: Bundle, manifest: Manifest, files: Iterable[Path]) -> Bundle:
    """The bundle with these files beside its own, which stay, and another manifest.

    It is whole or as it was. Raises `StorageError` on a full disk.
    """

    def fill(folder: Path) -> None:
        for file in [*(bundle.path / name for name in bundle.manifest.files), *files]:
            shutil.copyfile(file, folder / file.name)

    return _write(bundle.path, manifest, fill)


def _write(path: Path, manifest: Manifest, fill: Callable[[Path], None]) -> Bundle:
    unfinished = path.with_name(f".{path.name}.unfinished")
    with storage_errors(path):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            fill(unfinished)
            entries = {
                file.name: FileEntry(sha256=file_digest(file), bytes=file.stat().st_size)
                for file in sorted(unfinished.iterdir())
            }
            manifest = manifest.model_copy(update={"files": entries})
            write_json(unfinished / MANIFEST, manifest.model_dump(mode="json"))
            _replace_folder(unfinished, path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return Bundle(path, manifest)


def _replace_folder(new: Path, place: Path) -> None:
    old = place.with_name(f".{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _read_manifest(file: Path) -> Manifest:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise BundleError(
                f"{file} has format {content.get('format')}; this mintad reads format {FORMAT}.",
                "Use the version of mintad that wrote it, or train again.",
            )
        return Manifest.model_validate(content)
    except (ValueError, AttributeError) as error:
        first = error.errors()[0]["loc"] if isinstance(error, ValidationError) else error
        raise BundleError(
            f"{file} is damaged: {first}.", "Copy the bundle once more from where it was made."
        ) from None


def _check(file: Path, entry: FileEntry) -> None:
    mend = "Copy the bundle once more from where it was made; never edit it by hand."
    if not file.is_file():
        raise BundleError(f"The bundle's file {file} is missing.", mend)
    if file.stat().st_size != entry.bytes or file_digest(file) != entry.sha256:
        raise BundleError(f"The bundle's file {file} was changed: its hash does not match.", mend)
