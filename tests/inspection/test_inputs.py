"""Every form in which an image may be given, and what is no image."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mintad.data import MemoryImage
from mintad.inspection import Inspector

Make = Callable[..., Inspector]

GREY = np.arange(0, 160, 10, dtype=np.uint8).reshape(4, 4)
RGB = np.repeat(GREY[..., None], 3, axis=2)
TOTAL = int(GREY.sum())  # the raw score


def png(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def read_to_its_end(content: bytes) -> io.BytesIO:
    stream = io.BytesIO(content)
    stream.read()
    return stream


class Pipe(io.RawIOBase):
    """A file that cannot be wound back."""

    def __init__(self, content: bytes) -> None:
        self.rest = content

    def read(self, size: int = -1) -> bytes:
        content, self.rest = self.rest, b""
        return content


class Tensor:
    """What a library of its own hands over."""

    def __array__(self, *_: object, **__: object) -> NDArray[np.uint8]:
        return RGB


def turned() -> Image.Image:
    """As a camera held on its side writes it."""
    image = Image.fromarray(np.rot90(RGB).copy())
    image.getexif()[0x0112] = 6
    return image


FORMS: dict[str, Callable[[], Any]] = {
    "(H, W, 3)": lambda: RGB,
    "(H, W)": lambda: GREY,
    "(H, W, 1)": lambda: GREY[..., None],
    "RGBA": lambda: np.dstack([RGB, np.full((4, 4), 255, np.uint8)]),
    "not contiguous": lambda: np.repeat(RGB, 2, axis=1)[:, ::2],
    "memory": lambda: MemoryImage("a.png", png(RGB)),
    "memory (H, W, 1)": lambda: MemoryImage("a", GREY[..., None]),
    "bytes": lambda: png(RGB),
    "bytearray": lambda: bytearray(png(RGB)),
    "memoryview": lambda: memoryview(png(RGB)),
    "stream": lambda: io.BytesIO(png(RGB)),
    "stream at its end": lambda: read_to_its_end(png(RGB)),
    "pipe": lambda: Pipe(png(RGB)),
    "Pillow RGB": lambda: Image.fromarray(RGB),
    "Pillow L": lambda: Image.fromarray(GREY),
    "Pillow P": lambda: Image.fromarray(GREY).convert("P"),
    "Pillow 16 bit": lambda: Image.fromarray(GREY.astype(np.uint16) * 257),
    "Pillow 16 bit, big-endian": lambda: Image.frombytes(
        "I;16B", (4, 4), (GREY.astype(">u2") * 257).tobytes()
    ),
    "Pillow CMYK": lambda: Image.merge(
        "CMYK", [Image.fromarray(255 - GREY)] * 3 + [Image.new("L", (4, 4))]
    ),
    "Pillow lazy": lambda: Image.open(io.BytesIO(png(RGB))),
    "tensor": Tensor,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_alone_and_in_a_stream(red_inspector: Make, form: str) -> None:
    inspector = red_inspector()
    for images in (FORMS[form](), [FORMS[form]()]):
        (result,) = inspector(images)
        assert (result.error, result.raw_score, result.size) == (None, TOTAL, (4, 4))
    assert inspector.one(FORMS[form]()).raw_score == TOTAL


def test_a_file_is_given_by_its_path(red_inspector: Make, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(RGB))
    for image in (str(file), file, file.open("rb"), Image.open(file)):
        (result,) = red_inspector()(image)
        assert (result.name, result.raw_score) == (str(file), TOTAL)


def test_pillow_images_are_turned_as_their_exif_says(red_inspector: Make) -> None:
    (result,) = red_inspector()(turned())
    assert result.anomaly_map is not None
    assert (result.anomaly_map == GREY).all()


def test_transparent_pixels_lie_over_black(red_inspector: Make) -> None:
    alpha = np.full((4, 4), 255, np.uint8)
    alpha[0] = 0
    for image in (np.dstack([RGB, alpha]), Image.fromarray(np.dstack([RGB, alpha]))):
        (result,) = red_inspector()(image)
        assert result.raw_score == GREY[1:].sum()


def test_an_array_of_four_axes_holds_several_images(red_inspector: Make) -> None:
    results = list(red_inspector()(np.stack([RGB, RGB, RGB])))
    assert [result.raw_score for result in results] == [TOTAL] * 3


class Unreadable(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError("the plug is out")


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "None": (lambda: None, "NoneType is no image"),
    "a number": (lambda: 7, "int is no image"),
    "a list": (lambda: [1, 2], "list is no image"),
    "channels first": (lambda: np.zeros((3, 64, 64), np.uint8), "not uint8"),
    "seven channels": (lambda: np.zeros((4, 4, 7), np.uint8), "not uint8"),
    "floats": (lambda: np.zeros((4, 4, 3)), "not uint8"),
    "floats with alpha": (lambda: np.zeros((4, 4, 4)), "not uint8"),
    "four axes": (lambda: np.zeros((1, 4, 4, 3), np.uint8), "not uint8"),
    "one axis": (lambda: np.zeros(9, np.uint8), "not uint8"),
    "no pixels": (lambda: np.zeros((0, 4, 4), np.uint8), ""),
    "text": (lambda: b"no image", "not a PNG"),
    "no bytes": (lambda: b"", "empty"),
    "text stream": (lambda: io.StringIO("no image"), "str in place of bytes"),
    "a stream that fails": (Unreadable, "the plug is out"),
    "Pillow floats": (lambda: Image.new("F", (4, 4)), "no fixed full scale"),
    "Pillow, cut short": (lambda: Image.open(io.BytesIO(png(RGB)[:50])), ""),
    "a path with a zero": (lambda: "a\0b.png", "a\0b.png"),
    "a folder": (lambda: Path(__file__).parent, "inspection"),
    "no file": (lambda: Path("none.png"), "none.png"),
    "content of a wrong type": (lambda: MemoryImage("odd", 3), "odd"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_item_has_an_error_and_the_others_are_inspected(
    red_inspector: Make, kind: str
) -> None:
    make, words = WRONG[kind]
    before, wrong, after = red_inspector()([RGB, make(), RGB], "nut")
    assert before.raw_score == after.raw_score == TOTAL
    assert wrong.error is not None
    assert words in wrong.error
    values = (wrong.raw_score, wrong.score, wrong.anomaly_map, wrong.size, wrong.box)
    assert (*values, wrong.product_probability) == (None,) * 6
    assert (wrong.product, wrong.product_given) == ("nut", True)
    assert not red_inspector().one(make()).product_given
