"""Where caches are kept, and what happens where there is no place for one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mintad.system import directory
from mintad.system.directory import default_cache_directory

NAMES = ("MINTAD_CACHE", "XDG_CACHE_HOME", "HOME")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    directory._temporary.cache_clear()
    directory._is_writable.cache_clear()


def test_the_place_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path / "own"))
    assert default_cache_directory() == tmp_path / "own"


def test_without_a_home_there_is_a_folder_for_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    with pytest.warns(UserWarning, match="there is no home folder"):
        folder = default_cache_directory()
    assert folder.is_dir()
    assert default_cache_directory() == folder  # and it is said once


def test_a_place_that_cannot_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match=r"file/cache cannot be written"):
        assert default_cache_directory().is_dir()


def test_the_folder_goes_with_the_process() -> None:
    code = "import mintad.system.directory as d; print(d._temporary(None))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip()
    assert not Path(done.stdout.strip()).exists()
