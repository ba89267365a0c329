"""BMP in all its headers: Windows' from 3 to 5 and OS/2's, any bit masks, both run lengths."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mintad.data.formats.raster import Opened, Raster
from mintad.errors import ImageError

_FILE_HEADER = 14
_OS2, _WINDOWS = 12, 40
_OS2_LENGTHS = (16, 24, 32, 42, 46, 48, 60, 64)
_PLAIN, _RLE8, _RLE4, _MASKS, _MASKS_WITH_ALPHA = 0, 1, 2, 3, 6
_USUAL_MASKS = {
    16: (0x7C00, 0x03E0, 0x001F, 0),
    32: (0xFF0000, 0xFF00, 0xFF, 0),
}


class _Header(NamedTuple):
    """What the headers say; `pixels` is the place of the first row."""

    width: int
    height: int
    top_down: bool
    bits: int
    compression: int
    palette: NDArray[np.uint8]  # (N, 3) RGB
    masks: tuple[int, int, int, int]
    pixels: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, a multiple of four."""
        return -(-self.width * self.bits // 32) * 4


def open_bmp(content: bytes, name: str) -> Opened:
    """The image, its headers read. Raises `ImageError` for what is not read."""
    header = _read_header(content, name)

    def decode() -> Raster:
        raster = _decode(content, header)
        if header.top_down:
            return raster
        alpha = None if raster.alpha is None else raster.alpha[::-1]
        return Raster(raster.samples[::-1], 255, alpha, indexed=raster.indexed)

    return Opened((header.height, header.width), decode)


def _read_header(content: bytes, name: str) -> _Header:
    start = _FILE_HEADER if content.startswith(b"BM") else 0
    (length,) = _unpack("<I", content, start)
    if length == _OS2:
        width, height, _, bits = _unpack("<HHHH", content, start + 4)
        compression = colours = 0
    elif length >= _WINDOWS or length in _OS2_LENGTHS:
        whole = content[start : start + length].ljust(_WINDOWS, b"\0")
        if len(content) < start + length:
            raise EOFError
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", whole, 4)
        (colours,) = struct.unpack_from("<I", whole, 32)
    else:
        raise _unreadable(name, f"its header has {length} bytes")
    is_os2 = length == _OS2 or length in _OS2_LENGTHS
    known = (_PLAIN, _RLE8, _RLE4) if is_os2 else (_PLAIN, _RLE8, _RLE4, _MASKS, _MASKS_WITH_ALPHA)
    if bits not in (1, 2, 4, 8, 16, 24, 32) or compression not in known:
        raise _unreadable(name, f"it has {bits} bits per pixel and compression {compression}")
    if {_RLE8: 8, _RLE4: 4}.get(compression, bits) != bits or width < 1 or height == 0:
        raise _unreadable(name, f"its header is wrong: {width} x {height} pixels of {bits} bits")
    end = start + length
    masks = _USUAL_MASKS.get(bits, (0, 0, 0, 0))
    if compression in (_MASKS, _MASKS_WITH_ALPHA) and bits in _USUAL_MASKS:
        count = 4 if compression == _MASKS_WITH_ALPHA or length >= 56 else 3
        read = _unpack(f"<{count}I", content, start + _WINDOWS)
        masks = (read[0], read[1], read[2], read[3] if count == 4 else 0)
        end = max(end, start + _WINDOWS + 4 * count)
    entry = 3 if length == _OS2 else 4
    count = min(colours or 1 << bits, 1 << bits) if bits <= 8 else 0
    pixels = end + entry * count
    if start:
        (pixels,) = _unpack("<I", content, 10)
        if end <= pixels < end + entry * count:  # a palette that is shorter than announced
            count = (pixels - end) // entry
    table = np.frombuffer(content[end : end + entry * count], np.uint8)
    palette = table[: len(table) // entry * entry].reshape(-1, entry)[:, 2::-1]
    return _Header(width, abs(height), height < 0, bits, compression, palette, masks, pixels)


def _decode(content: bytes, header: _Header) -> Raster:
    if header.compression in (_RLE8, _RLE4):
        return _from_palette(_run_lengths(content[header.pixels :], header), header)
    height, width, bits = header.height, header.width, header.bits
    needed = header.row_bytes * (height - 1) + -(-width * bits // 8)
    stored = content[header.pixels : header.pixels + header.row_bytes * height]
    if len(stored) < needed:
        raise EOFError
    rows = np.frombuffer(stored.ljust(header.row_bytes * height, b"\0"), np.uint8)
    rows = rows.reshape(height, header.row_bytes)
    if bits <= 8:
        shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
        numbers = (rows[..., None] >> shifts) & np.uint8((1 << bits) - 1)
        return _from_palette(numbers.reshape(height, -1)[:, :width], header)
    if bits == 24:
        return Raster(rows[:, : 3 * width].reshape(height, width, 3)[..., ::-1])
    if header.masks[:3] == _USUAL_MASKS[32][:3] and header.masks[3] in (0, 0xFF000000):
        whole = rows.reshape(height, width, 4)
        return Raster(whole[..., 2::-1], 255, whole[..., 3] if header.masks[3] else None)
    values = rows.view(f"<u{bits // 8}")[:, :width]
    colours = np.stack([_masked(values, mask) for mask in header.masks[:3]], axis=2)
    return Raster(colours, 255, _masked(values, header.masks[3]) if header.masks[3] else None)


def _masked(values: NDArray[np.unsignedinteger], mask: int) -> NDArray[np.uint8]:
    """The bits under a mask, from 0 to 255."""
    if mask == 0:
        return np.zeros(values.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    full = mask >> shift
    part = (values & values.dtype.type(mask)) >> values.dtype.type(shift)
    if full < 1 << 16:
        levels = (np.arange(full + 1, dtype=np.uint32) * 255 + full // 2) // full
        return levels.astype(np.uint8)[part]
    return (part.astype(np.uint64) * 255 // full).astype(np.uint8)


def _from_palette(numbers: NDArray[np.uint8], header: _Header) -> Raster:
    palette = header.palette
    if len(palette) == 0 or int(numbers.max()) >= len(palette):
        raise ValueError("its palette is too short")
    if bool((palette == palette[:, :1]).all()) and _is_ramp(palette[:, 0]):
        return Raster(palette[numbers][..., :1])
    return Raster(palette[numbers], indexed=True)


def _is_ramp(grey: NDArray[np.uint8]) -> bool:
    """Whether a palette's greys are the numbers themselves, or go evenly from black to white."""
    numbers = np.arange(len(grey))
    even = (numbers * 255 + (len(grey) - 1) // 2) // max(1, len(grey) - 1)
    return np.array_equal(grey, numbers) or np.array_equal(grey, even)


def _run_lengths(stored: bytes, header: _Header) -> NDArray[np.uint8]:
    """The numbers `(H, W)` of an image in run lengths; what they leave out is 0."""
    numbers = np.zeros((header.height, header.width), np.uint8)
    read: Callable[[bytes, int], NDArray[np.uint8]]
    read = _read_bytes if header.bits == 8 else _read_halves
    place, row, column = 0, 0, 0
    while row < header.height:
        if place + 2 > len(stored):
            if row == header.height - 1 and column >= header.width:
                break
            raise EOFError
        count, value = stored[place], stored[place + 1]
        place += 2
        if count:
            run = read(bytes([value]) * count, count)
        elif value == 0:  # end of the row
            row, column = row + 1, 0
            continue
        elif value == 1:  # end of the image
            break
        elif value == 2:  # a step right and up
            if place + 2 > len(stored):
                raise EOFError
            column, row = column + stored[place], row + stored[place + 1]
            place += 2
            continue
        else:
            length = value if header.bits == 8 else (value + 1) // 2
            if place + length > len(stored):
                raise EOFError
            run = read(stored[place : place + length], value)
            place += length + length % 2
        numbers[row, column : column + len(run)] = run[: max(0, header.width - column)]
        column += len(run)
    return numbers


def _read_bytes(stored: bytes, count: int) -> NDArray[np.uint8]:
    return np.frombuffer(stored, np.uint8, count)


def _read_halves(stored: bytes, count: int) -> NDArray[np.uint8]:
    whole = np.frombuffer(stored, np.uint8)
    return np.stack([whole >> 4, whole & 15], axis=1).reshape(-1)[:count]


def _unpack(form: str, content: bytes, place: int) -> tuple[int, ...]:
    if place + struct.calcsize(form) > len(content):
        raise EOFError
    return struct.unpack_from(form, content, place)


def _unreadable(name: str, why: str) -> ImageError:
    return ImageError(
        f"The BMP image {name} is not read: {why}.", "Save it as PNG, or as a BMP of 24 bits."
    )
