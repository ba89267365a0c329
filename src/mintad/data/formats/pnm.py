"""PNM: PBM, PGM and PPM, plain and raw, with their own largest value."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from mintad.data.formats.raster import Opened, Raster
from mintad.errors import ImageError

_WORD = re.compile(rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])*([0-9]+)")
_COMMENT = re.compile(rb"#[^\r\n]*")
_LONGEST_HEADER = 1 << 16


def open_pnm(content: bytes, name: str) -> Opened:
    """The image, its header read. Raises `ImageError` for a header that is wrong."""
    kind = int(content[1:2])
    place, words = 2, []
    for _ in range(2 if kind in (1, 4) else 3):
        found = _WORD.match(content[: place + _LONGEST_HEADER], place)
        if found is None:
            if len(content) < _LONGEST_HEADER and not content[place:].strip(b"0123456789 \t\r\n"):
                raise EOFError
            raise _wrong(name, "it has no size")
        words.append(int(found[1][:10]))
        place = found.end()
    width, height, largest = (*words, 1)[:3]
    if width < 1 or height < 1 or not 1 <= largest <= 65535:
        raise _wrong(name, f"{width} x {height} pixels up to {largest}")
    channels = 3 if kind in (3, 6) else 1
    count = width * height * channels

    def decode() -> Raster:
        if kind <= 3:
            samples = _plain(content[place:], count, one_digit=kind == 1)
        elif kind == 4:
            samples = _bits(content[place + 1 :], height, width)
        else:
            dtype = np.dtype("u1" if largest < 256 else ">u2")
            if len(content) < place + 1 + count * dtype.itemsize:
                raise EOFError
            samples = np.frombuffer(content, dtype, count, place + 1)
        if int(samples.max()) > largest:
            raise _wrong(name, f"a value is larger than {largest}")
        samples = samples.astype(np.uint8 if largest < 256 else np.uint16, copy=False)
        whole = samples.reshape(height, width, channels)
        return Raster(whole, largest, inverted=kind in (1, 4))

    bytes_per_sample = 8 if kind <= 3 else 1 if largest < 256 else 2
    return Opened((height, width), decode, bytes_per_pixel=channels * bytes_per_sample)


def _plain(content: bytes, count: int, *, one_digit: bool) -> NDArray[np.integer]:
    """`count` decimal numbers; of bits each digit is one."""
    text = _COMMENT.sub(b" ", content)
    if text.translate(None, b"0123456789 \t\r\n\v\f"):
        raise ValueError("it holds something other than numbers")
    samples: NDArray[np.integer]
    if one_digit:
        digits = np.frombuffer(text, np.uint8)
        samples = digits[digits >= ord("0")] - ord("0")
    elif text.strip():
        samples = np.fromstring(text, np.int64, sep=" ")  # a count would read beyond the end
    else:
        raise EOFError
    if len(samples) < count:
        raise EOFError
    return samples[:count]


def _bits(content: bytes, height: int, width: int) -> NDArray[np.uint8]:
    row_bytes = -(-width // 8)
    if len(content) < height * row_bytes:
        raise EOFError
    rows = np.frombuffer(content, np.uint8, height * row_bytes).reshape(height, row_bytes)
    return np.unpackbits(rows, axis=1, count=width)


def _wrong(name: str, why: str) -> ImageError:
    return ImageError(
        f"The header of the PNM image {name} is wrong: {why}.",
        "Save it again with the program that made it, or take it out of the data.",
    )
