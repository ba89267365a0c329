"""PNG, JPEG and WebP through Pillow, one reader called directly.

`Image.open` would try every format Pillow knows, and has a pixel limit that can only be moved for
the whole process.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

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
    if mode.startswith("I;16"):
        samples = np.asarray(image)
        clear = image.info.get("transparency")
        alpha = None if clear is None else np.where(samples == clear, 0, 65535).astype(np.uint16)
        return Raster(samples.astype(np.uint16, copy=False)[..., None], 65535, alpha)
    if mode in ("1", "L") and "transparency" not in image.info:
        return Raster(np.asarray(image.convert("L"))[..., None])
    if mode == "CMYK":
        return Raster(np.asarray(image))
    is_palette = mode in ("P", "PA")
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        whole = np.asarray(image.convert("RGBA"))
        return Raster(whole[..., :3], 255, whole[..., 3], indexed=is_palette)
    return Raster(np.asarray(image if mode == "RGB" else image.convert("RGB")), indexed=is_palette)


def _deep_png(content: bytes) -> Raster:
    """A PNG of 16-bit colour or grey with alpha, all of its bits.

    PNG's filters work on each byte of a pixel apart, so that the upper bytes alone, with the same
    filters, are a PNG of 8 bits, and the lower bytes another.
    """
    width, height, _, colour, _, _, interlaced = struct.unpack(">IIBBBBB", content[16:29])
    channels = _CHANNELS[colour]
    data, clear = [], None
    for kind, start, stop in png_chunks(content):
        if kind == b"IDAT":
            if zlib.crc32(content[start - 4 : stop]).to_bytes(4) != content[stop : stop + 4]:
                raise ValueError("broken PNG file (bad checksum)")
            data.append(content[start:stop])
        elif kind == b"tRNS" and colour == _RGB and stop - start == 6:
            clear = np.frombuffer(content, ">u2", 3, start)
    lines = [
        (len(range(top, height, down)), len(range(left, width, across)))
        for left, top, across, down in (_PASSES if interlaced else ((0, 0, 1, 1),))
    ]
    lines = [(rows, columns) for rows, columns in lines if rows and columns]
    length = sum(rows * (1 + 2 * channels * columns) for rows, columns in lines)
    stream = zlib.decompressobj().decompress(b"".join(data), length)
    if len(stream) < length:
        raise EOFError
    halves: tuple[list[bytes], list[bytes]] = ([], [])
    place = 0
    for rows, columns in lines:
        size = rows * (1 + 2 * channels * columns)
        block = np.frombuffer(stream, np.uint8, size, place).reshape(rows, -1)
        for half, first in zip(halves, (1, 2), strict=True):
            half.append(np.hstack([block[:, :1], block[:, first::2]]).tobytes())
        place += size
    upper, lower = (
        _decode_half(content[16:24], colour, interlaced, b"".join(half)) for half in halves
    )
    samples = (upper.astype(np.uint16) << 8) | lower
    if colour == _RGB:
        alpha = None
        if clear is not None:
            alpha = np.where((samples == clear).all(axis=2), 0, 65535).astype(np.uint16)
        return Raster(samples, 65535, alpha)
    return Raster(samples[..., :-1], 65535, samples[..., -1])


def _decode_half(size: bytes, colour: int, interlaced: int, stream: bytes) -> NDArray[np.uint8]:
    """The `(H, W, C)` bytes of a PNG of 8 bits with these filtered lines."""
    header = size + struct.pack(">BBBBB", 8, colour, 0, 0, interlaced)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(stream, 0)), (b"IEND", b"")):
        check = zlib.crc32(kind + data)
        parts += [struct.pack(">I", len(data)), kind, data, struct.pack(">I", check)]
    with PngImagePlugin.PngImageFile(io.BytesIO(b"".join(parts))) as image:
        return np.asarray(image)
