"""PNG, JPEG and WebP through Pillow, one reader called directly.

`Image.open` would try every format Pillow knows, and has a pixel limit that can only be moved for
the whole process.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from mintad.data.formats.containers import (
    Essence,
    jpeg_essence,
    png_chunks,
    png_essence,
    webp_essence,
)
from mintad.data.formats.raster import Opened, OversizedImageError, Raster
from mintad.errors import ImageError

_MOST_SCANS = 100
_AT_ONCE = 1 << 24
_GREY_ALPHA, _RGB, _RGBA = 4, 2, 6
_CHANNELS = {0: 1, _RGB: 3, 3: 1, _GREY_ALPHA: 2, _RGBA: 4}
_PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)),
    (0, 1, 1, 2),
)
"""Of an interlaced PNG, each pass's first column, first row, and steps across and down."""


def open_png(content: bytes, name: str) -> Opened:
    """A PNG; of an animation the picture that viewers without animation show."""
    essence = png_essence(content)
    image = PngImagePlugin.PngImageFile(io.BytesIO(essence.content))
    depth, colour = essence.content[24:26]
    if depth == 16 and colour in (_RGB, _GREY_ALPHA, _RGBA):
        return _opened(image, essence, lambda: _deep_png(essence.content), 2 * _CHANNELS[colour])
    return _opened(image, essence, lambda: raster_of(image))


def open_jpeg(content: bytes, name: str) -> Opened:
    """A JPEG, grey, RGB or CMYK."""
    essence = jpeg_essence(content)
    if essence.content.count(b"\xff\xda") > _MOST_SCANS:
        raise ImageError(
            f"The JPEG image {name} has more than {_MOST_SCANS} scans.",
            "Save it again with a usual program, or take it out of the data.",
        )
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(essence.content))
    return _opened(image, essence, lambda: raster_of(image))


def open_webp(content: bytes, name: str) -> Opened:
    """A WebP; of an animation the first frame."""
    essence = webp_essence(content)
    try:
        image = WebPImagePlugin.WebPImageFile(io.BytesIO(essence.content))
    except Image.DecompressionBombError as error:  # Pillow's own limit, before ours is known
        raise OversizedImageError(
            f"The WebP image {name} has more pixels than are read in this format.",
            "Save it smaller, or as PNG or TIFF.",
        ) from error
    return _opened(image, essence, lambda: raster_of(image))


def _opened(
    image: ImageFile.ImageFile,
    essence: Essence,
    decode: Callable[[], Raster],
    bytes_per_pixel: float = 4.0,
) -> Opened:
    size = (image.size[1], image.size[0])
    return Opened(size, decode, essence.orientation, essence.frames, bytes_per_pixel)


def raster_of(image: Image.Image) -> Raster:
    """The samples of an image that Pillow has opened."""
    mode = image.mode
    clear = image.info.get("transparency")
    if mode.startswith("I;16"):
        deep = _samples(image).astype(np.uint16, copy=False)
        alpha = None if clear is None else np.where(deep == clear, 0, 65535).astype(np.uint16)
        return Raster(deep[..., None], 65535, alpha)
    if mode in ("1", "L") and clear is None:
        return Raster(_samples(image if mode == "L" else image.convert("L"))[..., None])
    if mode == "CMYK":
        return Raster(_samples(image))
    is_palette = mode in ("P", "PA")
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or clear is not None:
        whole = _samples(image if mode == "RGBA" and clear is None else image.convert("RGBA"))
        return Raster(whole[..., :3], 255, whole[..., 3], indexed=is_palette)
    return Raster(_samples(image if mode == "RGB" else image.convert("RGB")), indexed=is_palette)


def _deep_png(content: bytes) -> Raster:
    """A PNG of 16-bit colour or grey with alpha, all of its bits.

    PNG's filters work on each byte of a pixel apart, so that the upper bytes alone, with the same
    filters, are a PNG of 8 bits, and the lower bytes another.
    """
    width, height, _, colour, _, _, interlaced = struct.unpack(">IIBBBBB", content[16:29])
    bytes_per_pixel = 2 * _CHANNELS[colour]
    lines = [
        (len(range(top, height, down)), 1 + bytes_per_pixel * len(range(left, width, across)))
        for left, top, across, down in (_PASSES if interlaced else ((0, 0, 1, 1),))
    ]
    lines = [(rows, length) for rows, length in lines if rows and length > 1]
    samples = _decode_half(content, lines, 0).astype(np.uint16)
    samples <<= 8
    samples |= _decode_half(content, lines, 1)
    if colour != _RGB:
        return Raster(samples[..., :-1], 65535, samples[..., -1])
    alpha = None
    for kind, start, stop in png_chunks(content):
        if kind == b"tRNS" and stop - start == 6:
            clear = np.frombuffer(content, ">u2", 3, start)
            alpha = np.where((samples == clear).all(axis=2), 0, 65535).astype(np.uint16)
    return Raster(samples, 65535, alpha)


def _decode_half(
    content: bytes, lines: Sequence[tuple[int, int]], half: Literal[0, 1]
) -> NDArray[np.uint8]:
    """The upper (0) or lower (1) bytes `(H, W, C)` of a PNG of 16 bits.

    `lines` are the rows of each pass, and the bytes of each with its filter.
    """
    size, (colour, _, _, interlaced) = content[16:24], content[25:29]
    header = size + struct.pack(">BBBBB", 8, colour, 0, 0, interlaced)
    parts = io.BytesIO()
    parts.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header))
    deflate = zlib.compressobj(0)
    stream = _Inflated(content)
    for rows, length in lines:
        step = max(1, _AT_ONCE // length)
        for top in range(0, rows, step):
            count = min(step, rows - top)
            block = np.frombuffer(stream.read(count * length), np.uint8).reshape(count, length)
            kept = np.hstack([block[:, :1], block[:, 1 + half :: 2]])
            parts.write(_chunk(b"IDAT", deflate.compress(kept.tobytes())))
    parts.write(_chunk(b"IDAT", deflate.flush()) + _chunk(b"IEND", b""))
    parts.seek(0)
    with PngImagePlugin.PngImageFile(parts) as image:
        return _samples(image)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class _Inflated:
    """The lines of a PNG, inflated as far as they are read; `EOFError` where it ends before."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.chunks = (chunk for chunk in png_chunks(content) if chunk[0] == b"IDAT")
        self.inflate = zlib.decompressobj()
        self.waiting = b""

    def read(self, length: int) -> bytes:
        """The next bytes, so many of them."""
        parts: list[bytes] = []
        while length:
            if not self.waiting:
                _, start, stop = next(self.chunks, (b"", 0, 0))
                if start == stop == 0:
                    raise EOFError
                if zlib.crc32(self.content[start - 4 : stop]) != int.from_bytes(
                    self.content[stop : stop + 4], "big"
                ):
                    raise ValueError("broken PNG file (bad checksum)")
                self.waiting = self.content[start:stop]
            part = self.inflate.decompress(self.waiting, length)
            self.waiting = self.inflate.unconsumed_tail
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


def _samples(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels `(H, W, …)` of an image, band by band: never all of them twice."""
    image.load()
    width, height = image.size
    if width * height <= _AT_ONCE:
        return np.array(image)
    step = max(1, _AT_ONCE // width)
    first = np.asarray(image.crop((0, 0, width, 1)))
    samples = np.empty((height, *first.shape[1:]), first.dtype)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        samples[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return samples
