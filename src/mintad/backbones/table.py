"""Cached features: shard files, and the table that reads any rows of them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from mintad.system.files import replacing

SHARD_SUFFIX = ".npy"


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of tokens, memory-mapped `float16 (N, P, C)`, and the image digest of each row."""

    path: Path
    tokens: NDArray[np.float16]
    digests: tuple[str, ...]


def write_shard(folder: Path, digests: Sequence[str], tokens: NDArray[np.float16]) -> Path:
    """Write tokens `(N, P, C)` and their digests as one file that is whole or absent.

    The file is two .npy arrays, one behind the other; its name is unique, so that processes never
    meet. Raises StorageError where the disk is full or may not be written.
    """
    path = folder / f"{uuid.uuid4().hex}{SHARD_SUFFIX}"
    index = np.array(digests, dtype="S64")
    with replacing(path) as temporary, temporary.open("wb") as file:
        for array in (np.ascontiguousarray(tokens), index):
            npy.write_array_header_2_0(file, npy.header_data_from_array_1_0(array))
            file.write(array.data)
        file.flush()
        os.fsync(file.fileno())
    return path


def open_shard(path: Path) -> Shard | None:
    """The shard, or None where the file is gone, cut short or none of ours."""
    try:
        tokens: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        with path.open("rb") as file:
            file.seek(tokens.offset + tokens.nbytes)
            index = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if tokens.dtype != np.float16 or tokens.ndim != 3 or index.shape != (len(tokens),):
        return None
    return Shard(path, tokens, tuple(digest.decode() for digest in index.tolist()))


class FeatureTable:
    """The tokens of many images, one row each, read from shard files when asked for.

    `grid` is (H, W), with P = H * W tokens of `channels` values per image. Pickling sends the
    paths alone; a table stays readable when its files are removed, as long as it is open.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        shards: NDArray[np.int64],
        rows: NDArray[np.int64],
        grid: tuple[int, int],
        channels: int,
    ) -> None:
        """`shards` and `rows` `(N,)` say in which of `paths`, and where in it, each image is."""
        self.grid = grid
        self.channels = channels
        self._paths = tuple(paths)
        self._shards = shards
        self._rows = rows
        self._tokens = [_opened(path).tokens for path in self._paths]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, indices: ArrayLike) -> NDArray[np.float16]:
        """The tokens `float16 (N, P, C)` of the images at `indices` `(N,)`, as a copy."""
        chosen = np.asarray(indices)
        if chosen.size == 0:
            chosen = chosen.astype(np.int64)
        shards, rows = self._shards[chosen], self._rows[chosen]  # (N,)
        height, width = self.grid
        result = np.empty((len(chosen), height * width, self.channels), np.float16)
        for shard in np.unique(shards):
            here = np.flatnonzero(shards == shard)
            result[here] = self._tokens[shard][rows[here]]
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self._paths, self._shards, self._rows, self.grid, self.channels)
        return FeatureTable, arguments


def _opened(path: Path) -> Shard:
    shard = open_shard(path)
    if shard is None:
        raise FileNotFoundError(f"the feature cache's file {path} is gone or damaged")
    return shard
