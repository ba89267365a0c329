"""Files that are whole or absent: written beside their place, then renamed into it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

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
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Brings a file or folder to the disk, where the system can; without it a rename may be
    there after a loss of power, and what was renamed not."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def exclusive(file: Path, what: str) -> Iterator[None]:
    """Holds `file` as a lock, which ends with the process at the latest.

    Raises `StorageError`, which says that `what` is in use, where another process holds it.
    """
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor, what)
            if _is_same(file, descriptor):
                break
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # it was removed meanwhile: the next one counts
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(descriptor: int, what: str) -> None:
    in_use = StorageError(
        f"{what} is in use by another process.", "Wait until it has ended, or choose another place."
    )
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            raise in_use from None
        # a file system without locks: then nobody can hold one


def _is_same(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def open_regular(file: Path) -> BinaryIO:
    """A regular file, opened for reading; raises `OSError` for a link, a pipe or a device."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(file, flags | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "It is no regular file", str(file))
    return os.fdopen(descriptor, "rb")


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
        content = parse_json(file.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ConfigError(f"{file} is damaged.", f"Delete {file.parent}.")
    return content


def parse_json(text: str) -> Any:
    """What a JSON text says. Raises `ValueError` for any text that is none, however deep."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def json_text(value: Any) -> str:
    """`value` as indented JSON; raises `ValueError` for NaN."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all; NaN is an error."""
    write_text(path, json_text(value))


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
