"""Reads and writes bundles; nothing is trusted before its hash is checked.

A bundle is a folder with `manifest.json` and, in a folder named by their content, the files that
the manifest lists. A change writes a new folder and then renames a new manifest into place: at
every moment the bundle is the old or the new one. The files of the version before stay until the
next change, so that whoever has just opened it reads what was checked.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError

from mintad.bundle.manifest import FORMAT, FileEntry, Manifest
from mintad.errors import BundleError
from mintad.system.files import (
    exclusive,
    file_digest,
    json_text,
    open_regular,
    parse_json,
    storage_errors,
    sync,
    write_text,
)
from mintad.system.words import counted, shortened

MANIFEST = "manifest.json"
MODEL_FILE = "model.safetensors"
BACKBONE_FILE = "backbone.safetensors"
LOCK = ".lock"
UNFINISHED = ".unfinished"

_VERSION = re.compile(r"[0-9a-f]{16}")
_TRIES = 5
_COPY_AGAIN = "Copy the bundle once more from where it was made; never edit it by hand."

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

    @property
    def digest(self) -> str:
        """The SHA-256 of the manifest, and so of all that it lists."""
        return self.manifest.digest

    def file(self, name: str) -> Path:
        """Where one of its files lies. Raises `BundleError` for one that it does not list."""
        if name not in self.manifest.files:
            raise BundleError(f"The bundle {self.path} lists no file {name}.", _COPY_AGAIN)
        return self.path / self.manifest.version / name

    def tensors(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays of one of its safetensors files, whose hash is checked once more."""
        file = self.file(name)
        try:
            with open_regular(file) as opened:
                content = opened.read()
        except OSError as error:
            raise BundleError(f"{file} cannot be read: {error.strerror}.", _COPY_AGAIN) from None
        if hashlib.sha256(content).hexdigest() != self.manifest.files[name].sha256:
            raise _changed(file)
        try:
            return dict(safetensors.numpy.load(content))
        except SafetensorError as error:
            raise BundleError(f"{file} cannot be read: {error}.", _COPY_AGAIN) from None


def load(path: str | Path) -> Bundle:
    """Opens a bundle, or the bundle of a run directory, and checks every file against its hash.

    Raises `BundleError` where a file is missing or changed or the format is another.

    >>> mintad.load("run").manifest.product_names
    ('blobs', 'stripes')
    """
    path = Path(path)
    if not (path / MANIFEST).is_file() and (path / "bundle" / MANIFEST).is_file():
        path = path / "bundle"
    if not (path / MANIFEST).is_file():
        raise BundleError(
            f"{path} is not a bundle: it holds no {MANIFEST}.",
            "Name the folder that `mintad train --out` wrote, or its bundle folder.",
        )
    for _ in range(_TRIES):
        manifest = read_manifest(path / MANIFEST)
        bundle = Bundle(path, manifest)
        try:
            _check(bundle)
        except FileNotFoundError:
            if read_manifest(path / MANIFEST) == manifest:
                break  # it is missing; else the bundle was replaced meanwhile
        else:
            return bundle
    folder = path / manifest.version
    missing = next(name for name in manifest.files if not (folder / name).exists())
    raise BundleError(f"The bundle's file {folder / missing} is missing.", _COPY_AGAIN)


def read_manifest(file: Path) -> Manifest:
    """The manifest in `file`, exactly as it was written. Raises `BundleError` for any other."""
    damaged = f"{file} is damaged"
    try:
        with open_regular(file) as opened:
            text = opened.read().decode("utf-8")
        content = parse_json(text)
        if not isinstance(content, dict):
            raise ValueError("it is no object")
        if content.get("format") != FORMAT:
            raise BundleError(
                f"{file} has format {content.get('format')}; this mintad reads format {FORMAT}.",
                "Use the version of mintad that wrote it, or train again.",
            )
        manifest = Manifest.model_validate(content)
    except OSError as error:
        raise BundleError(f"{file} cannot be read: {error.strerror}.", _COPY_AGAIN) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else first["msg"]
        raise BundleError(f"{damaged}: {reason}.", _COPY_AGAIN) from None
    except ValueError as error:
        raise BundleError(f"{damaged}: {error}.", _COPY_AGAIN) from None
    if text != json_text(content) or manifest.digest != manifest.computed_digest():
        raise BundleError(f"{damaged}: it is not as it was written.", _COPY_AGAIN)
    return manifest


def write_bundle(path: str | Path, manifest: Manifest, files: Mapping[str, Tensors]) -> Bundle:
    """Writes a bundle, whole or not at all; one that stood there is replaced at the end.

    `files` maps the names of safetensors files to their arrays. Raises `StorageError` on a full
    disk or beside another writer, `BundleError` where `path` holds something else than a bundle.
    """

    def fill(folder: Path) -> None:
        for name, tensors in files.items():
            arrays = {key: np.ascontiguousarray(array) for key, array in tensors.items()}
            (folder / name).write_bytes(safetensors.numpy.save(arrays))

    return _write(Path(path), manifest, fill)


def extend_bundle(
    bundle: Bundle, manifest: Manifest, files: Iterable[Path], *, without: Iterable[str] = ()
) -> Bundle:
    """The bundle with these files beside its own and another manifest; `without` some of its own.

    It is whole or as it was. Raises as `write_bundle` does.
    """
    kept = [bundle.file(name) for name in bundle.manifest.files if name not in set(without)]

    def fill(folder: Path) -> None:
        for file in [*kept, *files]:
            shutil.copyfile(file, folder / file.name)

    return _write(bundle.path, manifest, fill)


def _write(path: Path, manifest: Manifest, fill: Callable[[Path], None]) -> Bundle:
    with storage_errors(path):
        _refuse_foreign(path)
        path.mkdir(parents=True, exist_ok=True)
        with exclusive(path / LOCK, f"The bundle {path}"):
            _remove_unfinished(path)
            unfinished = path / f"{UNFINISHED}-{os.getpid()}"
            unfinished.mkdir()
            try:
                fill(unfinished)
                manifest = manifest.listing(
                    {
                        file.name: FileEntry(sha256=file_digest(file), bytes=file.stat().st_size)
                        for file in sorted(unfinished.iterdir())
                    }
                )
                before = _version(path)
                _put(unfinished, path / manifest.version)
                write_text(path / MANIFEST, json_text(manifest.model_dump(mode="json")))
            finally:
                _remove([unfinished])
            versions = [entry for entry in path.iterdir() if _VERSION.fullmatch(entry.name)]
            _remove(entry for entry in versions if entry.name not in (before, manifest.version))
    return Bundle(path, manifest)


def _put(unfinished: Path, folder: Path) -> None:
    """Gives the folder its name; one that has it already holds the same, or is damaged."""
    for file in unfinished.iterdir():
        sync(file)
    sync(unfinished)
    if folder.exists():
        folder.rename(unfinished.with_name(f"{unfinished.name}-old"))
    unfinished.rename(folder)
    _remove([unfinished.with_name(f"{unfinished.name}-old")])
    sync(folder.parent)


def _remove_unfinished(path: Path) -> None:
    """What a killed writer left; nobody else writes now."""
    _remove(path.glob(f"{UNFINISHED}-*"))
    for file in path.glob(f".{MANIFEST}.*.tmp"):
        file.unlink(missing_ok=True)


def _remove(places: Iterable[Path]) -> None:
    for place in list(places):
        shutil.rmtree(place, ignore_errors=True)


def _version(path: Path) -> str | None:
    """The version of the bundle that stands there."""
    try:
        return read_manifest(path / MANIFEST).version
    except BundleError:
        return None


def _refuse_foreign(path: Path) -> None:
    """Raises `BundleError` where something else than a bundle would be overwritten."""
    if not path.exists() or (path / MANIFEST).is_file():
        return
    if path.is_dir():
        foreign = [
            entry.name
            for entry in path.iterdir()
            if entry.name != LOCK
            and not entry.name.startswith((UNFINISHED, f".{MANIFEST}."))
            and not _VERSION.fullmatch(entry.name)
        ]
        if not foreign:
            return
        problem = f"The folder {path} holds something else than a bundle: {sorted(foreign)[0]}."
    else:
        problem = f"{path} is a file, not a bundle."
    raise BundleError(problem, "Move it away, or choose another place for the bundle.")


def _check(bundle: Bundle) -> None:
    """Raises `BundleError` for a changed file, `FileNotFoundError` for a missing one."""
    for name, entry in bundle.manifest.files.items():
        file = bundle.file(name)
        try:
            with open_regular(file) as opened:
                size = os.fstat(opened.fileno()).st_size
                digest = hashlib.sha256(opened.read()).hexdigest()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BundleError(f"{file} cannot be read: {error.strerror}.", _COPY_AGAIN) from None
        if (size, digest) != (entry.bytes, entry.sha256):
            raise _changed(file)


def _changed(file: Path) -> BundleError:
    return BundleError(
        f"The bundle's file {file} was changed: its hash does not match.", _COPY_AGAIN
    )
