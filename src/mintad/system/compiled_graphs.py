"""Compiled graphs in the user's cache folder: each whole or absent, checked, bounded in all.

Nothing here fails: a folder that is missing, full or forbidden means that nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from mintad.errors import StorageError
from mintad.system.directory import default_cache_directory
from mintad.system.files import replacing

MOST_BYTES = 2 << 30
"""What the folder may hold; the files that were not used for longest make room for others."""

LEFTOVER_SECONDS = 3600
"""How old an unfinished file is when nobody writes it any more."""

_DIGEST_BYTES = hashlib.sha256().digest_size


def read_compiled(key: str) -> bytes | None:
    """What was kept under `key`; None where there is nothing, or its digest does not match."""
    try:
        file = _file(key)
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            return None
        with file.open("rb", buffering=0) as opened:
            digest, content = opened.read(_DIGEST_BYTES), opened.readall()
    except (OSError, RuntimeError):
        return None
    if digest != _digest(key, content):
        return None
    with suppress(OSError):
        os.utime(file)  # used just now
    return content


def keep_compiled(key: str, content: bytes) -> None:
    """Keeps `content` under `key`, where that is possible."""
    if len(content) + _DIGEST_BYTES > MOST_BYTES:
        return
    with suppress(OSError, StorageError, RuntimeError):
        file = _file(key)
        with replacing(file) as temporary, temporary.open("wb") as opened:
            opened.write(_digest(key, content))
            opened.write(content)
        _prune(file.parent)


def _file(key: str) -> Path:
    """Raises `RuntimeError` where the user has no home folder."""
    return default_cache_directory() / "compiled" / f"{key}.blob"


def _digest(key: str, content: bytes) -> bytes:
    digest = hashlib.sha256(key.encode())
    digest.update(content)
    return digest.digest()


def _prune(folder: Path) -> None:
    """Deletes unfinished files that were left, and what does not fit any more."""
    held: list[tuple[float, int, Path]] = []
    for file in folder.iterdir():
        with suppress(OSError):  # another process deletes, too
            status = file.lstat()
            if not stat.S_ISREG(status.st_mode):
                continue
            if file.suffix != ".tmp":
                held.append((status.st_mtime, status.st_size, file))
            elif status.st_mtime < time.time() - LEFTOVER_SECONDS:
                file.unlink()
    total = 0
    for _, size, file in sorted(held, reverse=True):
        total += size
        if total > MOST_BYTES:
            with suppress(OSError):
                file.unlink()
