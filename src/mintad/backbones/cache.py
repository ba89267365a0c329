"""The feature cache: a frozen backbone runs once per image content and never again."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mintad.backbones.backbone import Backbone
from mintad.backbones.extraction import stream_features
from mintad.backbones.table import SHARD_SUFFIX, FeatureTable, Shard, open_shard, write_shard
from mintad.data import Preprocessing, Sample, image_digests
from mintad.errors import MintadError, StorageError
from mintad.system.directory import default_cache_directory
from mintad.system.files import write_json
from mintad.system.progress import Progress

FORMAT = 1
"""Raised whenever decoding, preprocessing or rounding changes what a row holds."""

SHARD_BYTES = 64 * 2**20
TEMPORARY_AGE = 3600.0
"""Seconds after which a temporary file can only be a killed run's."""

_ABOUT = "about.json"


@dataclass(frozen=True, slots=True)
class CacheSize:
    """What a cache holds: `folders` is one per backbone and preprocessing."""

    folders: int
    shards: int
    images: int
    bytes: int


class FeatureCache:
    """Features on disk, in half precision, shared by runs and by processes.

    Keyed by the image's content, the backbone's digest and the preprocessing. A killed run leaves
    the shards it finished; two processes may compute the same image, which costs only space.
    """

    def __init__(self, directory: str | Path | None = None) -> None:
        """`directory` holds the cache; None takes `default_cache_directory()`."""
        self.directory = Path(directory) if directory is not None else default_cache_directory()

    def features(
        self,
        samples: Sequence[Sample],
        backbone: Backbone,
        preprocessing: Preprocessing,
        *,
        batch_size: int = 16,
        workers: int = 2,
        progress: Progress | None = None,
    ) -> FeatureTable:
        """The table of the samples' tokens, in their order; runs the backbone on what is new.

        `progress` is told how many of the images to compute are done, and how many there are.
        Raises ImageError for an image that cannot be read, StorageError where the disk is full;
        what was computed until then is kept.
        """
        grid = backbone.grid(preprocessing.height, preprocessing.width)
        channels = backbone.token_channels(preprocessing.height, preprocessing.width)
        shape = (grid[0] * grid[1], channels)  # (P, C)
        folder = self._folder(backbone, preprocessing)
        _remove_orphans(folder)
        digests = image_digests(samples, workers=workers)
        shards = _open_shards(folder, shape)
        known = {digest for shard in shards for digest in shard.digests}
        fresh: dict[str, Sample] = {}
        for digest, sample in zip(digests, samples, strict=True):
            if digest not in known:
                fresh.setdefault(digest, sample)
        if fresh:
            _ensure_space(folder, len(fresh) * shape[0] * shape[1] * 2)
            write_json(folder / _ABOUT, _description(backbone, preprocessing, grid))
            writer = _Writer(folder)
            with writer:
                names, todo = list(fresh), list(fresh.values())
                stream = stream_features(
                    todo, backbone, preprocessing, batch_size=batch_size, workers=workers
                )
                for indices, tokens in stream:
                    writer.add([names[index] for index in indices], tokens)
                    if progress is not None:
                        progress("features", int(indices[-1]) + 1, len(todo))
            shards += _opened(writer.paths)
        return _table(digests, shards, grid, channels)

    def size(self) -> CacheSize:
        """How much the cache holds."""
        return self._count(self._folders())

    def clear(self) -> CacheSize:
        """Remove everything the cache holds and say how much that was; no other file is touched."""
        folders = self._folders()
        size = self._count(folders)
        for folder in folders:
            for file in (*folder.glob(f"*{SHARD_SUFFIX}"), *_temporary(folder), folder / _ABOUT):
                file.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
        return size

    def _folder(self, backbone: Backbone, preprocessing: Preprocessing) -> Path:
        kept = preprocessing.model_dump(mode="json", exclude={"max_pixels"})
        key = json.dumps([FORMAT, backbone.digest(), kept], sort_keys=True)
        return self.directory / "features" / hashlib.sha256(key.encode()).hexdigest()[:32]

    def _folders(self) -> list[Path]:
        return sorted(about.parent for about in self.directory.glob(f"features/*/{_ABOUT}"))

    def _count(self, folders: list[Path]) -> CacheSize:
        paths = [path for folder in folders for path in folder.glob(f"*{SHARD_SUFFIX}")]
        shards = _opened(paths)
        return CacheSize(
            folders=len(folders),
            shards=len(shards),
            images=sum(len(shard.digests) for shard in shards),
            bytes=sum(shard.tokens.nbytes for shard in shards),
        )


class _Writer:
    """Gathers tokens and writes a shard whenever there are `SHARD_BYTES` of them.

    Leaving the `with` block writes the rest, whatever the reason for leaving.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []
        self._digests: list[str] = []
        self._tokens: list[NDArray[np.float16]] = []

    def add(self, digests: list[str], tokens: NDArray[np.float16]) -> None:
        """Take tokens `(N, P, C)` with their digests."""
        self._digests += digests
        self._tokens.append(tokens)
        if sum(part.nbytes for part in self._tokens) >= SHARD_BYTES:
            self._flush()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        else:  # the first error is the one to tell
            with suppress(MintadError, OSError):
                self._flush()

    def _flush(self) -> None:
        if self._digests:
            digests, tokens = self._digests, np.concatenate(self._tokens)
            self._digests, self._tokens = [], []
            _ensure_space(self.folder, tokens.nbytes)
            self.paths.append(write_shard(self.folder, digests, tokens))


def _table(
    digests: list[str], shards: list[Shard], grid: tuple[int, int], channels: int
) -> FeatureTable:
    place = {
        digest: (number, row)
        for number, shard in enumerate(shards)
        for row, digest in enumerate(shard.digests)
    }
    places = np.array([place[digest] for digest in digests], np.int64).reshape(-1, 2)
    used, numbers = np.unique(places[:, 0], return_inverse=True)
    paths = [shards[number].path for number in used]
    return FeatureTable(paths, numbers.astype(np.int64), places[:, 1], grid, channels)


def _open_shards(folder: Path, shape: tuple[int, int]) -> list[Shard]:
    shards = _opened(sorted(folder.glob(f"*{SHARD_SUFFIX}")))
    return [shard for shard in shards if shard.tokens.shape[1:] == shape]


def _opened(paths: Iterable[Path]) -> list[Shard]:
    return [shard for shard in map(open_shard, paths) if shard is not None]


def _temporary(folder: Path) -> list[Path]:
    return list(folder.glob(".*.tmp"))


def _remove_orphans(folder: Path) -> None:
    for file in _temporary(folder):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > TEMPORARY_AGE:
                file.unlink()


def _ensure_space(folder: Path, needed: int) -> None:
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise StorageError(
            f"The feature cache in {folder} needs {needed / 1e6:.0f} MB more, and only "
            f"{free / 1e6:.0f} MB are free.",
            "Free some space, set MINTAD_CACHE to a folder on a larger disk, or use --no-cache.",
        )


def _description(
    backbone: Backbone, preprocessing: Preprocessing, grid: tuple[int, int]
) -> dict[str, object]:
    return {
        "format": FORMAT,
        "backbone": backbone.spec.name,
        "stages": list(backbone.stages),
        "digest": backbone.digest(),
        "grid": list(grid),
        "channels": backbone.channels,
        "preprocessing": preprocessing.model_dump(mode="json"),
    }
