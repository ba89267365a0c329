"""Writers of image files in forms that no library writes: PNG, BMP and TIFF, byte by byte."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)),
    (0, 1, 1, 2),
)
"""First column, first row, and steps across and down."""
COLOURS = {"grey": (0, 1), "rgb": (2, 3), "palette": (3, 1), "grey alpha": (4, 2), "rgba": (6, 4)}


def png_chunk(kind: bytes, data: bytes, check: int | None = None) -> bytes:
    """A chunk with its checksum, or with another one."""
    check = zlib.crc32(kind + data) if check is None else check
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def png(
    samples: NDArray[np.integer],
    colour: str,
    depth: int,
    *,
    interlaced: bool = False,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG of `(H, W, C)` samples; rows take all five filters in turn. Chunks go around IDAT."""
    kind, channels = COLOURS[colour]
    height, width = samples.shape[:2]
    stream = b""
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[top::down, left::across]
        if part.size:
            stream += _filtered(part.reshape(*part.shape[:2], channels), depth)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + before
        + png_chunk(b"IDAT", zlib.compress(stream))
        + after
        + png_chunk(b"IEND", b"")
    )


def _filtered(part: NDArray[np.integer], depth: int) -> bytes:
    distance = max(1, part.shape[2] * depth // 8)
    above = None
    lines = b""
    for number, row in enumerate(part):
        line = np.frombuffer(_packed(row.reshape(-1), depth), np.uint8).astype(int)
        above = np.zeros_like(line) if above is None else above
        left = np.concatenate([np.zeros(distance, int), line])[: len(line)]
        corner = np.concatenate([np.zeros(distance, int), above])[: len(line)]
        estimate = left + above - corner
        distances = np.abs(np.stack([estimate - left, estimate - above, estimate - corner]))
        paeth = np.choose(distances.argmin(axis=0), [left, above, corner])
        method = number % 5
        predicted = (np.zeros_like(line), left, above, (left + above) // 2, paeth)[method]
        lines += bytes([method]) + ((line - predicted) % 256).astype(np.uint8).tobytes()
        above = line
    return lines


def _packed(values: NDArray[np.integer], depth: int) -> bytes:
    if depth == 16:
        return values.astype(">u2").tobytes()
    if depth == 8:
        return values.astype(np.uint8).tobytes()
    bits = (values[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(-1).astype(np.uint8)).tobytes()


def bmp(
    rows: bytes,
    width: int,
    height: int,
    bits: int,
    *,
    header: int = 40,
    compression: int = 0,
    masks: tuple[int, ...] = (),
    palette: bytes = b"",
    colours: int = 0,
    bare: bool = False,
) -> bytes:
    """A BMP with these rows, as they are stored: bottom up, or from the top for a height < 0."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHI", header, width, height, 1, bits, compression)
        info += struct.pack("<IiiII", len(rows), 2835, 2835, colours, 0)
        if header >= 52:
            info += b"".join(struct.pack("<I", mask) for mask in masks)
        info = info.ljust(header, b"\0")[:header]
        if header == 40:
            info += b"".join(struct.pack("<I", mask) for mask in masks)
    place = 14 + len(info) + len(palette)
    start = b"BM" + struct.pack("<IHHI", place + len(rows), 0, 0, place)
    return (b"" if bare else start) + info + palette + rows


def bmp_rows(values: NDArray[np.integer], bits: int) -> bytes:
    """Rows of `(H, W)` whole pixels, each filled up to four bytes."""
    rows = b""
    for row in values:
        if bits >= 8:
            line = b"".join(int(value).to_bytes(bits // 8, "little") for value in row)
        else:
            line = _packed(row, bits)
        rows += line + bytes(-len(line) % 4)
    return rows


def tiff(order: str, tags: dict[int, tuple[int, list[int]]], strips: list[bytes]) -> bytes:
    """A TIFF with these tags (type 3 or 4, values) and strips, in a byte order ("<" or ">")."""
    offsets = np.cumsum([8, *map(len, strips)]).tolist()
    tags = {**tags, 273: (4, offsets[:-1]), 279: (4, [len(strip) for strip in strips])}
    place = offsets[-1] + 6 + 12 * len(tags)
    entries, beyond = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        data = struct.pack(order + {1: "B", 3: "H", 4: "I"}[kind] * len(values), *values)
        if len(data) > 4:
            data, beyond = struct.pack(order + "I", place + len(beyond)), beyond + data
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, offsets[-1])
    directory = struct.pack(order + "H", len(tags)) + entries + bytes(4)
    return start + b"".join(strips) + directory + beyond
