"""The feature cache: a frozen backbone runs once per image content and never again."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mintad.backbones.backbone import Backbone
from mintad.backbones.extraction import stream_features
from mintad.backbones.packing import row_shape
from mintad.backbones.table import SHARD_SUFFIX, FeatureTable, Shard, open_shard, write_shard
from mintad.data import Preprocessing, Sample, image_digests
from mintad.errors import MintadError, StorageError
from mintad.features import FeatureShape
from mintad.system.directory import default_cache_directory
from mintad.system.files import write_json
from mintad.system.progress import Progress

FORMAT = 2
"""Raised whenever decoding, preprocessing or rounding changes what a row holds."""

SHARD_BYTES = 64 * 2**20
TEMPORARY_AGE = 3600.0
"""Seconds after which a temporary file can only be a killed run's."""

_ABOUT = "about.json"


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
        """The table of the samples' features, in their order; runs the backbone on what is new.

        `progress` is told "features", how many of the images to compute are done, and how many
        there are.
        Raises ImageError for an image that cannot be read, StorageError where the disk is full;
        what was computed until then is kept.
        """
        shape = backbone.shape(preprocessing.height, preprocessing.width)
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
            _ensure_space(folder, len(fresh) * math.prod(row_shape(shape)) * 2)
            write_json(folder / _ABOUT, _description(backbone, preprocessing, shape))
            writer = _Writer(folder)
            with writer:
                names, todo = list(fresh), list(fresh.values())
                stream = stream_features(
                    todo, backbone, preprocessing, batch_size=batch_size, workers=workers
                )
                for indices, rows in stream:
                    writer.add([names[index] for index in indices], rows)
                    if progress is not None:
                        progress("features", int(indices[-1]) + 1, len(todo))
            shards += _opened(writer.paths)
        return _table(digests, shards, shape)

    def _folder(self, backbone: Backbone, preprocessing: Preprocessing) -> Path:
        kept = preprocessing.model_dump(mode="json", exclude={"max_pixels"}, exclude_none=True)
        key = json.dumps([FORMAT, backbone.digest(), kept], sort_keys=True)
        return self.directory / "features" / hashlib.sha256(key.encode()).hexdigest()[:32]


class _Writer:
    """Gathers rows and writes a shard whenever there are `SHARD_BYTES` of them.

    Leaving the `with` block writes the rest, whatever the reason for leaving.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []
        self._digests: list[str] = []
        self._rows: list[NDArray[np.float16]] = []

    def add(self, digests: list[str], rows: NDArray[np.float16]) -> None:
        """Take the rows `(N, P, C)` of images with their digests."""
        self._digests += digests
        self._rows.append(rows)
        if sum(part.nbytes for part in self._rows) >= SHARD_BYTES:
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
            digests, rows = self._digests, np.concatenate(self._rows)
            self._digests, self._rows = [], []
            _ensure_space(self.folder, rows.nbytes)
            self.paths.append(write_shard(self.folder, digests, rows))


def _table(digests: list[str], shards: list[Shard], shape: FeatureShape) -> FeatureTable:
    place = {
        digest: (number, row)
        for number, shard in enumerate(shards)
        for row, digest in enumerate(shard.digests)
    }
    places = np.array([place[digest] for digest in digests], np.int64).reshape(-1, 2)
    used, numbers = np.unique(places[:, 0], return_inverse=True)
    paths = [shards[number].path for number in used]
    return FeatureTable(paths, numbers.astype(np.int64), places[:, 1], shape)


def _open_shards(folder: Path, shape: FeatureShape) -> list[Shard]:
    shards = _opened(sorted(folder.glob(f"*{SHARD_SUFFIX}")))
    return [shard for shard in shards if shard.rows.shape[1:] == row_shape(shape)]


def _opened(paths: Iterable[Path]) -> list[Shard]:
    return [shard for shard in map(open_shard, paths) if shard is not None]


def _remove_orphans(folder: Path) -> None:
    for file in folder.glob(".*.tmp"):
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
    backbone: Backbone, preprocessing: Preprocessing, shape: FeatureShape
) -> dict[str, object]:
    return {
        "format": FORMAT,
        "digest": backbone.digest(),
        "backbone": backbone.config.model_dump(mode="json"),
        "shape": shape.model_dump(mode="json"),
        "preprocessing": preprocessing.model_dump(mode="json"),
    }
