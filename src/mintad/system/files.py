"""Files that are whole or absent: written beside their place, then renamed into it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mintad.errors import ConfigError, StorageError

_FORBIDDEN = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed into its place when the block ends well.

    Raises `StorageError` where the disk is full or may not be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns a full disk or a forbidden place into a `StorageError` that names `path`."""
    try:
        yield
    except OSError as error:
        raise_storage_error(error, path)


def raise_storage_error(error: OSError, path: Path) -> None:
    """Raises `StorageError` for a full disk or a forbidden place, and `error` itself otherwise."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = next(place for place in (path, *path.absolute().parents) if place.exists())
        free = shutil.disk_usage(place).free / 1e6
        raise StorageError(
            f"The disk is full: {path} could not be written ({free:.0f} MB are free).",
            "Free some space, or choose another place, then run the same command again.",
        ) from error
    if error.errno in _FORBIDDEN:
        raise StorageError(
            f"{path} cannot be written: {os.strerror(error.errno)}.",
            "Choose another place, one that you may write to.",
        ) from error
    raise error


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode("utf-8", errors="replace"))


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file of a run. Raises `ConfigError` where it is damaged."""
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise ConfigError(f"{file} is damaged.", f"Delete {file.parent}.") from None
    return content


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all; NaN is an error."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
