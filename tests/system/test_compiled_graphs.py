"""What was compiled comes back as it was kept, or not at all."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintad.system import compiled_graphs
from mintad.system.compiled_graphs import keep_compiled, read_compiled

CONTENT = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINTAD_CACHE", str(cache_folder))


@given(bit=st.integers(0, 8 * (len(CONTENT) + 32) - 1), length=st.integers(0, len(CONTENT) + 31))
def test_a_damaged_file_is_not_there(cache_folder: Path, bit: int, length: int) -> None:
    keep_compiled("damaged", CONTENT)
    assert read_compiled("damaged") == CONTENT
    file = cache_folder / "compiled" / "damaged.blob"
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[bit // 8] ^= 1 << bit % 8
    for damage in (bytes(flipped), whole[:length], whole + b"\0"):
        file.write_bytes(damage)
        assert read_compiled("damaged") is None


def test_what_was_kept_under_another_key_is_not_taken(cache_folder: Path) -> None:
    keep_compiled("first", CONTENT)
    (cache_folder / "compiled" / "first.blob").rename(cache_folder / "compiled" / "second.blob")
    assert read_compiled("first") is None
    assert read_compiled("second") is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_only_a_regular_file_is_read(cache_folder: Path) -> None:
    keep_compiled("other", CONTENT)
    os.mkfifo(cache_folder / "compiled" / "pipe.blob")
    (cache_folder / "compiled" / "folder.blob").mkdir()
    assert read_compiled("pipe") is None
    assert read_compiled("folder") is None


def test_a_folder_that_cannot_be_is_as_good_as_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="No cache is kept"):
        keep_compiled("key", CONTENT)
    assert read_compiled("key") == CONTENT  # in a folder of this process

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(compiled_graphs, "default_cache_directory", nowhere)
    keep_compiled("key", CONTENT)
    assert read_compiled("key") is None


def test_a_full_disk_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Path, "replace", full)
    keep_compiled("key", CONTENT)
    assert read_compiled("key") is None
    assert list((tmp_path / "compiled").iterdir()) == []


def test_the_folder_is_bounded_and_keeps_what_was_used_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path))
    monkeypatch.setattr(compiled_graphs, "MOST_BYTES", 3 * len(CONTENT))
    folder = tmp_path / "compiled"
    folder.mkdir()
    now = time.time()
    for name, age in (("of-openvino.blob", 9_000), (".x.blob.1.tmp", 9_000), (".y.blob.2.tmp", 9)):
        (folder / name).write_bytes(CONTENT)
        os.utime(folder / name, (now - age, now - age))
    for key, age in (("a", 300), ("b", 200)):
        keep_compiled(key, CONTENT)
        os.utime(folder / f"{key}.blob", (now - age, now - age))
    assert read_compiled("a") == CONTENT  # used: now b is the oldest
    keep_compiled("c", CONTENT)
    assert {file.name for file in folder.iterdir()} == {"a.blob", "c.blob", ".y.blob.2.tmp"}
    keep_compiled("huge", 3 * CONTENT)
    assert read_compiled("huge") is None
