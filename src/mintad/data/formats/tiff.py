"""TIFF in every layout of samples that cameras and programs write.

The strips and tiles are found and unpacked here. Pillow's libtiff only undoes the compression:
it is given a small TIFF of grey bytes, made of the strips or tiles alone. So no other field of the
file can decide what the pixels are, or cost them. Colour JPEG, YCbCr and fax are left to Pillow,
in a TIFF of the fields that they need.
"""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile, TiffImagePlugin

from mintad.data.formats import tiff_directory as tags
from mintad.data.formats.pillow import raster_of
from mintad.data.formats.raster import Opened, Raster
from mintad.data.formats.tiff_directory import Directory, first_page, longs, write_tiff
from mintad.data.formats.unpacking import undo_differences, undo_float_differences, unpack_bits
from mintad.errors import ImageError

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4}
_PLAIN, _JPEG, _DEFLATE = 1, 7, 8
_OF_BYTES = frozenset({5, _DEFLATE, 32773, 32946, 34925, 50000})  # LZW, PackBits, LZMA, Zstandard
_OF_PIXELS = frozenset({2, 3, 4, _JPEG, 50001})  # fax, JPEG, WebP
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_ALPHA = 2
_MOST_SAMPLES = 16
_IMAGEJ_STACK = re.compile(rb"ImageJ=[^\n]*\nimages=(\d{1,9})\n")
_REVERSED = np.array([int(f"{value:08b}"[::-1], 2) for value in range(256)], np.uint8)
_FOR_PILLOW = (
    tags.WIDTH, tags.HEIGHT, tags.BITS, tags.COMPRESSION, tags.PHOTOMETRIC, tags.FILL_ORDER,
    tags.SAMPLES, tags.STRIP_ROWS, tags.PLANAR, 292, 293, tags.PREDICTOR, tags.TILE_WIDTH,
    tags.TILE_HEIGHT, tags.EXTRA_SAMPLES, tags.SAMPLE_FORMAT, 347, 529, 530, 531, 532,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the samples of a page are stored. A part is a strip or a tile."""

    width: int
    height: int
    bits: int
    used_bits: int
    sample_format: int
    samples: int
    separate: bool
    photometric: int
    compression: int
    predictor: int
    part: tuple[int, int]  # height, width
    tiled: bool

    @property
    def channels(self) -> int:
        """Samples that stand side by side in a part."""
        return 1 if self.separate else self.samples

    @property
    def grid(self) -> tuple[int, int]:
        """Parts down and across a plane."""
        return -(-self.height // self.part[0]), -(-self.width // self.part[1])

    @property
    def rows(self) -> int:
        """Rows of a plane, with those by which tiles reach beyond the image."""
        return self.grid[0] * self.part[0] if self.tiled else self.height

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a part."""
        return -(-self.part[1] * self.channels * self.bits // 8)


class _UnlimitedTiff(TiffImagePlugin.TiffImageFile):
    """Without Pillow's limit, which is one for the whole process; ours was checked before."""

    def load_prepare(self) -> None:
        ImageFile.ImageFile.load_prepare(self)


def open_tiff(content: bytes, name: str) -> Opened:
    """The first page, its directory read. Raises `ImageError` for what is not read."""
    directory, pages = first_page(content)
    layout = _read_layout(directory, name)
    by_pillow = layout.photometric == _YCBCR or (
        layout.compression in _OF_PIXELS and not (layout.compression == _JPEG and _is_grey(layout))
    )

    def decode() -> Raster:
        if by_pillow:
            return _decode_by_pillow(directory, layout)
        return _decode(directory, layout, name)

    in_words = _IMAGEJ_STACK.match(directory.values(tags.DESCRIPTION).tobytes()[:1000])
    if in_words is not None:  # ImageJ keeps the pages of a large stack behind the first, unlisted
        pages = max(pages, int(in_words[1]))
    orientation = directory.number(tags.ORIENTATION, 1)
    return Opened(
        (layout.height, layout.width),
        decode,
        orientation,
        pages,
        bytes_per_pixel=layout.samples * max(1, layout.bits / 8),
    )


def _is_grey(layout: _Layout) -> bool:
    return layout.channels == 1 and layout.photometric in _COLOURS


def _read_layout(directory: Directory, name: str) -> _Layout:
    samples = directory.number(tags.SAMPLES, 1)
    bits = directory.values(tags.BITS)
    formats = directory.values(tags.SAMPLE_FORMAT)
    compression = directory.number(tags.COMPRESSION, _PLAIN)
    photometric = directory.number(
        tags.PHOTOMETRIC,
        _RGB if samples >= 3 else _WHITE_IS_ZERO if compression in (2, 3, 4) else _BLACK_IS_ZERO,
    )
    height, width = directory.number(tags.HEIGHT, 0), directory.number(tags.WIDTH, 0)
    tiled = tags.TILE_WIDTH in directory
    part = (directory.number(tags.STRIP_ROWS, height), width)
    if tiled:
        part = (directory.number(tags.TILE_HEIGHT, 0), directory.number(tags.TILE_WIDTH, 0))
    elif part[0] > height:
        part = (height, width)
    wrong = (
        "its size is missing"
        if height < 1 or width < 1
        else f"it has {samples} samples per pixel"
        if not 1 <= samples <= _MOST_SAMPLES
        else "its samples differ in their bits or their kind"
        if len(set(bits[:samples].tolist())) > 1 or len(set(formats[:samples].tolist())) > 1
        else f"its compression has the number {compression}"
        if compression != _PLAIN and compression not in _OF_BYTES | _OF_PIXELS
        else f"its JPEG has {int(bits[0])} bits"
        if compression == _JPEG and len(bits) and bits[0] != 8
        else f"its colours are of kind {photometric} (of PhotometricInterpretation)"
        if photometric not in {*_COLOURS, _YCBCR}
        else "the size of its parts is wrong"
        if min(part) < 1 or part[0] * part[1] > 4 * height * width + (1 << 22)
        else ""
    )
    if wrong:
        raise _unreadable(name, wrong)
    layout = _Layout(
        width,
        height,
        int(bits[0]) if len(bits) else 1,
        int(bits[0]) if len(bits) else 1,
        int(formats[0]) if len(formats) else _UNSIGNED,
        samples,
        directory.number(tags.PLANAR, 1) == 2 and samples > 1,
        photometric,
        compression,
        directory.number(tags.PREDICTOR, 1) if compression in _OF_BYTES else 1,
        part,
        tiled,
    )
    in_words = 2 * part[0] * part[1] * layout.channels
    stored = directory.number(tags.TILE_LENGTHS if tiled else tags.STRIP_LENGTHS, 0)
    if 8 < layout.bits < 16 and compression == _PLAIN and stored == in_words:
        return replace(layout, bits=16)
    return layout


def _unreadable(name: str, why: str) -> ImageError:
    return ImageError(
        f"The TIFF image {name} is not read: {why}.",
        "Save it as grey or RGB with 8 or 16 unsigned bits, uncompressed or with LZW or Deflate.",
    )


def _decode(directory: Directory, layout: _Layout, name: str) -> Raster:
    colours = _COLOURS[layout.photometric]
    extra = [int(kind) for kind in directory.values(tags.EXTRA_SAMPLES)]
    surplus = layout.samples - colours
    if surplus < 0 or (colours == 1 and layout.photometric != _PALETTE and surplus > 1):
        raise _unreadable(name, f"it has {layout.samples} samples per pixel, of unknown meaning")
    if layout.photometric == _CMYK and directory.number(tags.INKS, 1) != 1:
        raise _unreadable(name, "its inks are not CMYK")
    extra = (extra + [0] * surplus)[:surplus]
    alpha = colours + extra.index(_ALPHA) if _ALPHA in extra else None
    wanted = [*range(colours), *([] if alpha is None else [alpha])]
    if layout.separate:
        planes = [_plane(directory, layout, number, name)[..., 0] for number in wanted]
        samples = np.stack(planes[:colours], axis=2)
        above = planes[-1] if alpha is not None else None
    else:
        whole = _plane(directory, layout, 0, name)
        samples = whole[..., :colours]
        above = None if alpha is None else whole[..., alpha]
    whole_numbers = layout.sample_format in (_UNSIGNED, _UNDEFINED) and layout.bits <= 16
    full = (1 << layout.used_bits) - 1 if whole_numbers else None
    if layout.photometric == _PALETTE:
        if full is None:
            raise _unreadable(name, "its palette has no whole numbers")
        scale = None if above is None else (above.astype(np.uint32) * 255 // full).astype(np.uint8)
        return Raster(_from_palette(directory, samples[..., 0], name), 255, scale, indexed=True)
    inverted = layout.photometric == _WHITE_IS_ZERO
    return Raster(samples, full, above, inverted=inverted)


def _from_palette(directory: Directory, numbers: NDArray[Any], name: str) -> NDArray[np.uint8]:
    colours = directory.values(tags.COLOURS).astype(np.uint32)
    if len(colours) < 3 or int(numbers.max()) >= len(colours) // 3:
        raise _unreadable(name, "its palette is too short")
    if colours.max() > 255:  # else a writer took bytes where 16 bits belong
        colours >>= 8
    table: NDArray[np.uint8] = colours[: len(colours) // 3 * 3].reshape(3, -1).T.astype(np.uint8)
    return table[numbers]


def _plane(directory: Directory, layout: _Layout, number: int, name: str) -> NDArray[Any]:
    """The samples `(H, W, channels)` of a plane, all planes in one if they are not separate."""
    width, channels = layout.part[1], layout.channels
    dtype = _stored_type(layout, name)
    flat = _bytes_of_plane(directory, layout, number).reshape(-1, layout.row_bytes)
    if layout.predictor == 3 and layout.sample_format == _FLOAT and layout.bits >= 16:
        samples = undo_float_differences(flat, width, channels, dtype)
    else:
        if layout.bits % 8:
            samples = unpack_bits(flat, layout.bits, width * channels)
        else:
            stored = np.ascontiguousarray(flat).view(dtype.newbyteorder(directory.order))
            samples = stored.astype(dtype, copy=False)
        samples = samples.reshape(-1, width, channels)
        if layout.predictor == 2 and layout.bits % 8 == 0:
            samples = undo_differences(samples)
        elif layout.predictor != 1:
            raise _unreadable(name, f"its predictor has the number {layout.predictor}")
    samples = samples.reshape(layout.rows, -1, channels)
    return samples[: layout.height, : layout.width]


def _stored_type(layout: _Layout, name: str) -> np.dtype[Any]:
    kind = {_SIGNED: "i", _FLOAT: "f"}.get(layout.sample_format, "u")
    if layout.bits < 16 and layout.bits != 8 and kind == "u":
        return np.dtype("u1")
    if layout.bits not in ((16, 32, 64) if kind == "f" else (8, 16, 32, 64)):
        raise _unreadable(name, f"its samples have {layout.bits} bits")
    return np.dtype(f"{kind}{layout.bits // 8}")


def _bytes_of_plane(directory: Directory, layout: _Layout, number: int) -> NDArray[np.uint8]:
    """The bytes `(rows, across, bytes of a row)` of a plane's strips or tiles, uncompressed."""
    if layout.compression != _PLAIN:
        return _decompressed(directory, layout, number)
    across, part_height = layout.grid[1], layout.part[0]
    whole = np.empty((layout.rows, across, layout.row_bytes), np.uint8)
    for index, part in enumerate(_parts(directory, layout, number)):
        top, column = index // across * part_height, index % across
        block = whole[top : top + part_height, column]
        block[:] = np.frombuffer(part, np.uint8).reshape(block.shape)
    if directory.number(tags.FILL_ORDER, 1) == 2 and layout.bits < 16:
        whole = _REVERSED[whole]
    return whole


def _decompressed(directory: Directory, layout: _Layout, number: int) -> NDArray[np.uint8]:
    across, part_height, row_bytes = layout.grid[1], layout.part[0], layout.row_bytes
    fields = {
        tags.WIDTH: longs([across * row_bytes]),
        tags.HEIGHT: longs([layout.rows]),
        tags.BITS: longs([8]),
        tags.COMPRESSION: longs([layout.compression]),
        tags.PHOTOMETRIC: longs([_BLACK_IS_ZERO]),
        tags.FILL_ORDER: longs([directory.number(tags.FILL_ORDER, 1)]),
        tags.SAMPLES: longs([1]),
    }
    if layout.tiled:
        fields |= {tags.TILE_WIDTH: longs([row_bytes]), tags.TILE_HEIGHT: longs([part_height])}
    else:
        fields[tags.STRIP_ROWS] = longs([part_height])
    if 347 in directory:
        fields[347] = directory.copied(347)
    stored = write_tiff(fields, _parts(directory, layout, number))
    with _UnlimitedTiff(io.BytesIO(stored)) as image:
        return np.asarray(image).reshape(layout.rows, across, row_bytes)


def _parts(directory: Directory, layout: _Layout, number: int) -> list[bytes]:
    """The stored bytes of a plane's strips or tiles; `EOFError` if some are missing."""
    count = layout.grid[0] * layout.grid[1]
    mine = slice(number * count, (number + 1) * count)
    where = tags.TILE_OFFSETS if layout.tiled else tags.STRIP_OFFSETS
    offsets = directory.values(where)[mine].tolist()
    if layout.compression == _PLAIN and layout.photometric != _YCBCR:  # whatever the file says
        heights = np.full(count, layout.part[0])
        if not layout.tiled:
            heights[-1] = layout.height - (count - 1) * layout.part[0]
        lengths = (heights * layout.row_bytes).tolist()
    else:
        how_long = tags.TILE_LENGTHS if layout.tiled else tags.STRIP_LENGTHS
        lengths = directory.values(how_long)[mine].tolist()
        if count == 1 and not lengths and offsets:
            lengths = [max(0, len(directory.content) - offsets[0])]
    if len(offsets) != count or len(lengths) != count:
        raise EOFError
    parts = []
    for start, length in zip(offsets, lengths, strict=True):
        if start + length > len(directory.content):
            raise EOFError
        parts.append(directory.content[start : start + length])
    return parts


def _decode_by_pillow(directory: Directory, layout: _Layout) -> Raster:
    fields = {field: directory.copied(field) for field in _FOR_PILLOW if field in directory}
    planes = range(layout.samples if layout.separate else 1)
    parts = [part for number in planes for part in _parts(directory, layout, number)]
    fields[tags.PHOTOMETRIC] = longs([layout.photometric])
    if layout.compression == _PLAIN:  # Pillow reads plain YCbCr without its subsampling
        parts = [zlib.compress(part, 0) for part in parts]
        fields[tags.COMPRESSION] = longs([_DEFLATE])
    with _UnlimitedTiff(io.BytesIO(write_tiff(fields, parts))) as image:
        return raster_of(image)
