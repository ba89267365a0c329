"""Files that are whole or absent."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from mintad.errors import StorageError
from mintad.system.files import write_bytes, write_json, write_text


def test_a_file_makes_its_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "new" / "map.png", b"content")
    assert (tmp_path / "new" / "map.png").read_bytes() == b"content"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["map.png"]


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, StorageError), (errno.EROFS, StorageError), (None, OSError)]
)
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None, kind: type[Exception]
) -> None:
    file = tmp_path / "map.png"
    write_bytes(file, b"before")

    def fails(*_: object) -> None:
        raise OSError(number, "it fails")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        with pytest.raises(kind, match=r"map\.png|it fails"):
            write_bytes(file, b"after")
    assert file.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir()] == ["map.png"]


def test_json_has_no_numbers_that_json_does_not_know(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"score": 0.5})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"score": 0.5}
    with pytest.raises(ValueError, match="nan"):
        write_json(tmp_path / "b.json", {"score": float("nan")})
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_text_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "caf\xe9 \udcff\n")
    assert (tmp_path / "a.txt").read_bytes() == b"caf\xc3\xa9 ?\n"
