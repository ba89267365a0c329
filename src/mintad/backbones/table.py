"""Cached features: shard files, and the table that reads any rows of them."""

from __future__ import annotations

import os
import uuid
import warnings
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from mintad.backbones.packing import row_shape, unpack
from mintad.features import Features, FeatureShape
from mintad.system.files import replacing

SHARD_SUFFIX = ".npy"


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of images' rows, memory-mapped `float16 (N, P, C)`, and the digest of each image."""

    path: Path
    rows: NDArray[np.float16]
    digests: tuple[str, ...]


def write_shard(folder: Path, digests: Sequence[str], rows: NDArray[np.float16]) -> Path:
    """Write rows `(N, P, C)` and their digests as one file that is whole or absent.

    The file is three .npy arrays, one behind the other, the last a checksum of each row; its name
    is unique, so that processes never meet. Raises StorageError where the disk is full or may not
    be written.
    """
    path = folder / f"{uuid.uuid4().hex}{SHARD_SUFFIX}"
    rows = np.ascontiguousarray(rows)
    index = np.array(digests, dtype="S64")
    with replacing(path) as temporary, temporary.open("wb") as file:
        for array in (rows, index, _checksums(rows, index)):
            npy.write_array_header_2_0(file, npy.header_data_from_array_1_0(array))
            file.write(array.data)
        file.flush()
        os.fsync(file.fileno())
    return path


def open_shard(path: Path) -> Shard | None:
    """The shard, or None where the file is gone or damaged; what is damaged is removed, and said.

    Every row is read once, for its checksum.
    """
    try:
        rows: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        with path.open("rb") as file:
            file.seek(rows.offset + rows.nbytes)
            index = np.load(file, allow_pickle=False)
            checksums = np.load(file, allow_pickle=False)
        is_whole = (
            rows.dtype == np.float16
            and rows.ndim == 3
            and index.shape == (len(rows),)
            and np.array_equal(checksums, _checksums(rows, index))
        )
        if is_whole:
            return Shard(path, rows, tuple(digest.decode("ascii") for digest in index.tolist()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, AttributeError):
        pass
    warnings.warn(
        f"{path} in the feature cache is damaged: its images are computed anew.", stacklevel=2
    )
    with suppress(OSError):
        path.unlink()
    return None


def _checksums(rows: NDArray[np.float16], index: NDArray[np.bytes_]) -> NDArray[np.uint32]:
    """CRC-32 of each row and its image's digest `(N,)`."""
    pairs = zip(rows, index.tolist(), strict=True)
    return np.array([zlib.crc32(digest, zlib.crc32(row.tobytes())) for row, digest in pairs], "<u4")


class FeatureTable:
    """The features of many images, packed in half precision, read from shard files when asked for.

    `shape` is that of one image's features. Pickling sends the paths alone; a table stays
    readable when its files are removed, as long as it is open.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        shards: NDArray[np.int64],
        rows: NDArray[np.int64],
        shape: FeatureShape,
    ) -> None:
        """`shards` and `rows` `(N,)` say in which of `paths`, and where in it, each image is."""
        self.shape = shape
        self._paths = tuple(paths)
        self._shards = shards
        self._rows = rows
        self._opened = [_opened(path).rows for path in self._paths]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, images: ArrayLike) -> NDArray[np.float16]:
        """The packed rows `float16 (N, P, C)` of the images numbered `(N,)`, as a copy."""
        chosen = np.asarray(images)
        if chosen.size == 0:
            chosen = chosen.astype(np.int64)
        shards, rows = self._shards[chosen], self._rows[chosen]  # (N,)
        result = np.empty((len(chosen), *row_shape(self.shape)), np.float16)
        for shard in np.unique(shards):
            here = np.flatnonzero(shards == shard)
            result[here] = self._opened[shard][rows[here]]
        return result

    def features(self, images: ArrayLike) -> Features:
        """The features of the images numbered `(N,)`, in float32."""
        return unpack(torch.from_numpy(self[images]).float(), self.shape)

    def __reduce__(self) -> tuple[Any, ...]:
        return FeatureTable, (self._paths, self._shards, self._rows, self.shape)


def _opened(path: Path) -> Shard:
    shard = open_shard(path)
    if shard is None:
        raise FileNotFoundError(f"the feature cache's file {path} is gone or damaged")
    return shard
