"""The directory of a TIFF: its fields by number, read without trust; and a small TIFF written."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SUBFILE = 254
WIDTH = 256
HEIGHT = 257
BITS = 258
COMPRESSION = 259
PHOTOMETRIC = 262
FILL_ORDER = 266
DESCRIPTION = 270
STRIP_OFFSETS = 273
ORIENTATION = 274
SAMPLES = 277
STRIP_ROWS = 278
STRIP_LENGTHS = 279
PLANAR = 284
PREDICTOR = 317
COLOURS = 320
TILE_WIDTH = 322
TILE_HEIGHT = 323
TILE_OFFSETS = 324
TILE_LENGTHS = 325
INKS = 332
EXTRA_SAMPLES = 338
SAMPLE_FORMAT = 339

_DTYPES = {
    1: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 11: "f4", 12: "f8",
    13: "u4", 16: "u8", 17: "i8", 18: "u8",
}  # fmt: skip
_RATIONAL = 5
_REDUCED_OR_MASK = 1 | 4
_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Directory:
    """The fields of one page: for each number its type, count and the place of its values."""

    content: bytes
    order: Literal["<", ">"]
    fields: Mapping[int, tuple[int, int, int]]

    def __contains__(self, field: int) -> bool:
        return field in self.fields

    def values(self, field: int) -> NDArray[np.generic]:
        """The numbers of a field, none where it is missing; a rational is two."""
        if field not in self.fields:
            return np.empty(0, np.uint8)
        kind, count, place = self.fields[field]
        dtype = np.dtype(_DTYPES.get(kind, "u1")).newbyteorder(self.order)
        count *= 2 if kind == _RATIONAL else 1
        if place + count * dtype.itemsize > len(self.content):
            raise EOFError
        return np.frombuffer(self.content, dtype, count, place)

    def number(self, field: int, default: int) -> int:
        """The first number of a field, as a whole number."""
        values = self.values(field)
        return int(values[0]) if len(values) else default

    def copied(self, field: int) -> tuple[int, int, bytes]:
        """A field as `write_tiff` takes it: type, count and little-endian values."""
        kind, count, _ = self.fields[field]
        values = self.values(field)
        return kind, count, values.astype(values.dtype.newbyteorder("<")).tobytes()


def first_page(content: bytes) -> tuple[Directory, int]:
    """The first page at full resolution, and how many such pages there are.

    Raises `EOFError` where the content ends before its directory.
    """
    pages = list(_pages(content))
    whole = [page for page in pages if not page.number(SUBFILE, 0) & _REDUCED_OR_MASK]
    return (whole or pages)[0], max(1, len(whole))


def _pages(content: bytes) -> Iterator[Directory]:
    order: Literal["<", ">"] = "<" if content.startswith(b"II") else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    counting, pointing, entry_size = ("Q", "Q", 20) if big else ("H", "I", 12)
    (place,) = _unpack(order + pointing, content, 8 if big else 4)
    seen: set[int] = set()
    while place and place not in seen and len(seen) < _MOST_PAGES:
        try:
            seen.add(place)
            (count,) = _unpack(order + counting, content, place)
            start = place + struct.calcsize("<" + counting)
            fields = _fields(content, order, start, count, entry_size)
            (place,) = _unpack(order + pointing, content, start + count * entry_size)
        except EOFError:
            if len(seen) == 1:
                raise
            return  # a damaged chain of pages costs the later ones alone
        yield Directory(content, order, fields)
    if not seen:
        raise ValueError("it has no page")


def _fields(
    content: bytes, order: str, start: int, count: int, entry_size: int
) -> dict[int, tuple[int, int, int]]:
    if start + count * entry_size > len(content):
        raise EOFError
    inline = 4 if entry_size == 12 else 8
    head = struct.Struct(order + ("HHI" if entry_size == 12 else "HHQ"))
    pointer = struct.Struct(order + ("I" if entry_size == 12 else "Q"))
    fields: dict[int, tuple[int, int, int]] = {}
    for place in range(start, start + count * entry_size, entry_size):
        field, kind, length = head.unpack_from(content, place)
        size = length * np.dtype(_DTYPES.get(kind, "u1")).itemsize * (2 if kind == 5 else 1)
        value = place + head.size
        if size > inline:
            (value,) = pointer.unpack_from(content, value)
        fields.setdefault(field, (kind, length, value))
    return fields


def _unpack(form: str, content: bytes, place: int) -> tuple[int, ...]:
    if place + struct.calcsize(form) > len(content):
        raise EOFError
    return struct.unpack_from(form, content, place)


def longs(values: Sequence[int]) -> tuple[int, int, bytes]:
    """Whole numbers as `write_tiff` takes them."""
    return 4, len(values), np.asarray(values, "<u4").tobytes()


def write_tiff(fields: Mapping[int, tuple[int, int, bytes]], parts: Sequence[bytes]) -> bytes:
    """A little-endian TIFF of one page; `parts` are its strips, or tiles where it has a width."""
    offsets, lengths = (
        (TILE_OFFSETS, TILE_LENGTHS) if TILE_WIDTH in fields else (STRIP_OFFSETS, STRIP_LENGTHS)
    )
    sizes = [len(part) for part in parts]
    starts = np.cumsum([8, *sizes])[:-1].tolist()
    every = {**fields, offsets: longs(starts), lengths: longs(sizes)}
    directory = 8 + sum(sizes)
    beyond = directory + 2 + 12 * len(every) + 4
    entries, values = b"", b""
    for field, (kind, count, value) in sorted(every.items()):
        if len(value) > 4:
            entries += struct.pack("<HHII", field, kind, count, beyond + len(values))
            values += value
        else:
            entries += struct.pack("<HHI", field, kind, count) + value.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<I", directory)
    return b"".join([head, *parts, struct.pack("<H", len(every)), entries, bytes(4), values])
