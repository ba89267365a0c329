from __future__ import annotations

import pytest

from mintad.system import counted, printable


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (12345, "12,345 images")]
)
def test_a_count_is_said_in_words(count: int, text: str) -> None:
    assert counted(count, "image") == text


def test_control_characters_are_escaped_and_nothing_else() -> None:
    assert printable("a\x1b[2J\r\x00\x7f\u202e.png") == "a\\x1b[2J\\r\\x00\\x7f\\u202e.png"
    assert printable("\udcff") == "\\udcff"
    for plain in ("Prüfbild 検査 – 1.png", "two\n\tlines"):
        assert printable(plain) == plain
