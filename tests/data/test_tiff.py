"""TIFF in every form that tifffile writes, against the array that was written and its reader."""

from __future__ import annotations

import io
import struct
from itertools import product
from typing import Any

import numpy as np
import pytest
from forms import tiff
from numpy.typing import NDArray
from PIL import Image

from mintad.data import MemoryImage, decode_image, decode_mask
from mintad.data.decoding import TruncatedImageError, decode_image_bytes, picture_in_hand
from mintad.errors import ImageError

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")

SIZE = (37, 53)
PACKED = ("lzw", "zlib", "zstd", "lzma")


def written(array: NDArray[Any], **options: Any) -> bytes:
    """The TIFF, read again by tifffile to see that it holds the array."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    if options.get("compression") != "jpeg":
        assert np.array_equal(tifffile.imread(io.BytesIO(stream.getvalue())), array)
    return stream.getvalue()


def numbers(dtype: Any, *size: int, bits: int | None = None) -> NDArray[Any]:
    most = np.iinfo(dtype).max if bits is None else (1 << bits) - 1
    return np.random.default_rng(0).integers(0, most + 1, size or SIZE).astype(dtype)


def grey(array: NDArray[Any], full: int, *, white_is_zero: bool = False) -> NDArray[Any]:
    """What grey must become: rounded to 8 bits, on three channels."""
    values = full - array.astype(int) if white_is_zero else array.astype(int)
    return np.repeat(np.rint(values * 255 / full)[..., None], 3, axis=2)


def upper(array: NDArray[Any]) -> NDArray[Any]:
    """What colour must become: its upper eight bits."""
    return array.astype(int) >> 8 * (array.dtype.itemsize - 1)


GREY_FORMS = [
    (dtype, photometric, compression, order, big, tile, predictor)
    for dtype, photometric, compression, order, big, tile, predictor in product(
        ("u1", "u2"),
        ("minisblack", "miniswhite"),
        (None, "packbits", *PACKED),
        "<>",
        (False, True),
        (None, (16, 32)),
        (False, True),
    )
    if not predictor or compression in PACKED
]


@pytest.mark.parametrize("form", GREY_FORMS, ids=str)
def test_grey(form):
    dtype, photometric, compression, order, big, tile, predictor = form
    array = numbers(dtype)
    content = written(
        array,
        photometric=photometric,
        compression=compression,
        byteorder=order,
        bigtiff=big,
        tile=tile,
        predictor=predictor,
        rowsperstrip=None if tile else 8,
    )
    expected = grey(array, np.iinfo(dtype).max, white_is_zero=photometric == "miniswhite")
    assert np.array_equal(decode_image_bytes(content, "a"), expected)


COLOUR_FORMS = [
    (dtype, planes, compression, order, tile, predictor, channels)
    for dtype, planes, compression, order, tile, predictor, channels in product(
        ("u1", "u2"),
        ("contig", "separate"),
        (None, "lzw", "zlib", "packbits"),
        "<>",
        (None, (16, 32)),
        (False, True),
        (3, 4),
    )
    if not predictor or compression in PACKED
]


@pytest.mark.parametrize("form", COLOUR_FORMS, ids=str)
def test_colour(form):
    dtype, planes, compression, order, tile, predictor, channels = form
    array = numbers(dtype, *SIZE, channels)
    content = written(
        array if planes == "contig" else np.moveaxis(array, 2, 0),
        photometric="rgb",
        planarconfig=planes,
        compression=compression,
        byteorder=order,
        tile=tile,
        predictor=predictor,
        extrasamples=["unspecified"] * (channels - 3),
        rowsperstrip=None if tile else 8,
    )
    assert np.array_equal(decode_image_bytes(content, "a"), upper(array[..., :3]))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize(("compression", "predictor"), [(None, None), ("zlib", None), ("lzw", 3)])
def test_float_has_the_full_scale_1(dtype, order, tile, compression, predictor):
    array = np.random.default_rng(0).random((*SIZE, 3)).astype(dtype)
    options = {"byteorder": order, "tile": tile, "compression": compression, "predictor": predictor}
    content = written(array, photometric="rgb", **options)
    assert np.array_equal(decode_image_bytes(content, "a"), np.rint(array * 255))
    content = written(array[..., 0].copy(), photometric="minisblack", **options)
    assert np.array_equal(decode_image_bytes(content, "a")[..., 1], np.rint(array[..., 0] * 255))


@pytest.mark.parametrize("value", [1.5, -0.5, np.nan, np.inf])
def test_float_beyond_0_to_1_is_refused(value):
    array = np.full(SIZE, 0.5, np.float32)
    array[3, 4] = value
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, photometric="minisblack")
    with pytest.raises(ImageError, match="float values outside of 0 to 1"):
        decode_image_bytes(stream.getvalue(), "a")


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "u4", "u8", "i8"])
def test_integers_without_a_full_scale_are_refused_but_as_numbers_of_classes(dtype):
    array = np.zeros(SIZE, dtype)
    array[3, 4] = 2
    content = written(array, photometric="minisblack")
    with pytest.raises(ImageError, match="no fixed full scale") as caught:
        decode_image_bytes(content, "a")
    assert "8 or 16 unsigned bits" in caught.value.mend
    assert np.array_equal(decode_mask(MemoryImage("a", content)), array > 0)
    with pytest.raises(ImageError, match="no fixed full scale"):
        decode_mask(MemoryImage("a", written(array * 50, photometric="minisblack")))


@pytest.mark.parametrize("bits", range(1, 16))
@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_any_number_of_bits(bits, tile, photometric):
    array = numbers("u1" if bits <= 8 else "u2", bits=bits)
    array = array.astype(bool) if bits == 1 else array
    declared = None if bits == 1 else bits
    content = written(array, photometric=photometric, bitspersample=declared, tile=tile)
    expected = grey(array, (1 << bits) - 1, white_is_zero=photometric == "miniswhite")
    assert np.array_equal(decode_image_bytes(content, "a"), expected)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_declared_bits_that_stand_in_words(order, bits):
    array = numbers("u2", bits=bits)
    tags = {256: (4, [53]), 257: (4, [37]), 258: (3, [bits]), 259: (3, [1]), 262: (3, [1])}
    strips = [rows.astype(order + "u2").tobytes() for rows in np.split(array, [16, 32])]
    content = tiff(order, {**tags, 277: (3, [1]), 278: (3, [16])}, strips)
    expected = grey(array, (1 << bits) - 1)
    assert np.array_equal(decode_image_bytes(content, "a"), expected)
    assert decode_mask(MemoryImage("a", content)).sum() == (array > ((1 << bits) - 1) // 2).sum()


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
def test_the_bit_depth_of_sixteen_stored_bits_can_be_said(bits):
    array = numbers("u2", *SIZE, 3, bits=bits)
    content = written(array, photometric="rgb")
    assert np.array_equal(decode_image_bytes(content, "a", bit_depth=bits), array >> (bits - 8))
    content = written(array[..., 0].copy(), photometric="minisblack")
    expected = grey(array[..., 0], (1 << bits) - 1)
    assert np.array_equal(decode_image_bytes(content, "a", bit_depth=bits), expected)
    content = written(array[..., 0].copy(), photometric="miniswhite")
    expected = grey(array[..., 0], (1 << bits) - 1, white_is_zero=True)
    assert np.array_equal(decode_image_bytes(content, "a", bit_depth=bits), expected)
    with picture_in_hand(MemoryImage("a", content)) as picture:
        assert picture.brightest == array[..., 0].max() < 1 << bits


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_palette(dtype, tile):
    array = numbers(dtype, bits=8)
    count = 1 << (8 * array.dtype.itemsize)
    colours = np.random.default_rng(1).integers(0, 65536, (3, count)).astype(np.uint16)
    expected = np.moveaxis((colours >> 8)[:, array], 0, 2)
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, photometric="palette", colormap=colours, tile=tile)
    assert np.array_equal(decode_image_bytes(stream.getvalue(), "a"), expected)
    stream = io.BytesIO()  # bytes where 16 bits belong
    tifffile.imwrite(stream, array, photometric="palette", colormap=colours >> 8, tile=tile)
    assert np.array_equal(decode_image_bytes(stream.getvalue(), "a"), expected)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha(dtype, planes, kind, channels):
    array = numbers(dtype, *SIZE, channels)
    colour = array[..., :-1]
    expected = grey(colour[..., 0], np.iinfo(dtype).max) if channels == 2 else upper(colour)
    options = {
        "photometric": "rgb" if channels == 4 else "minisblack",
        "planarconfig": planes,
        "extrasamples": [kind],
    }
    stored = array if planes == "contig" else np.moveaxis(array, 2, 0)
    content = written(stored, **options)
    shown = expected
    if kind == "unassalpha":
        shown = np.rint(expected * (upper(array[..., -1]) / 255)[..., None])
    assert np.array_equal(decode_image_bytes(content, "a"), shown)
    array[..., -1] = 0
    with picture_in_hand(MemoryImage("a", written(stored, **options))) as picture:
        assert np.array_equal(picture.pixels, expected)
        assert picture.hidden == (kind == "unassalpha")


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_cmyk(planes):
    array = numbers("u1", *SIZE, 4)
    stored = array if planes == "contig" else np.moveaxis(array, 2, 0)
    content = written(stored, photometric="separated", planarconfig=planes)
    expected = np.asarray(Image.fromarray(array, "CMYK").convert("RGB"))
    assert np.array_equal(decode_image_bytes(content, "a"), expected)


@pytest.mark.parametrize("tile", [None, (32, 32)])
@pytest.mark.parametrize(
    ("photometric", "planes"),
    [("rgb", "contig"), ("rgb", "separate"), ("minisblack", None)],
)
def test_jpeg_inside(tile, photometric, planes):
    ramp = np.add.outer(2 * np.arange(64), np.arange(96))[..., None] + np.array([0, 20, 40])
    array = np.clip(ramp, 0, 255).astype(np.uint8)
    array = array[..., 0].copy() if photometric == "minisblack" else array
    content = written(
        np.ascontiguousarray(np.moveaxis(array, 2, 0)) if planes == "separate" else array,
        photometric=photometric,
        planarconfig=planes,
        compression="jpeg",
        tile=tile,
        compressionargs={"level": 95},
    )
    expected = grey(array, 255) if array.ndim == 2 else array
    assert np.abs(decode_image_bytes(content, "a") - expected.astype(int)).max() <= 6


def test_jpeg_inside_with_ycbcr():
    ramp = np.add.outer(2 * np.arange(64), np.arange(96))[..., None] + np.array([0, 20, 40])
    array = np.clip(ramp, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "JPEG", quality=95, subsampling="4:2:0")
    tags = {256: (4, [96]), 257: (4, [64]), 258: (3, [8] * 3), 259: (3, [7]), 262: (3, [6])}
    tags |= {277: (3, [3]), 278: (3, [64]), 530: (3, [2, 2])}
    content = tiff("<", tags, [stream.getvalue()])
    assert np.abs(decode_image_bytes(content, "a") - array.astype(int)).max() <= 6
    assert np.abs(tifffile.imread(io.BytesIO(content)).astype(int) - array).max() <= 6


@pytest.mark.parametrize("form", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("inverted", [False, True])
def test_fax(form, inverted):
    array = numbers("u1", 40, 64, bits=1).astype(bool)
    stream = io.BytesIO()
    options = {262: 0 if inverted else 1}
    Image.fromarray(array).save(stream, "TIFF", compression=form, tiffinfo=options)
    page = tifffile.TiffFile(io.BytesIO(stream.getvalue())).pages[0]
    assert page.photometric == (0 if inverted else 1)
    white = page.asarray() != inverted  # tifffile gives the values as they are stored
    assert np.array_equal(decode_image_bytes(stream.getvalue(), "a")[..., 0] > 0, white)


def test_plain_ycbcr_with_fewer_colours_than_pixels():
    luma, blue, red = 180, 90, 150
    block = bytes([luma] * 4 + [blue, red])  # two by two pixels share their colour
    tags = {256: (4, [16]), 257: (4, [16]), 258: (3, [8] * 3), 259: (3, [1]), 262: (3, [6])}
    tags |= {277: (3, [3]), 278: (3, [16]), 530: (3, [2, 2])}
    pixels = decode_image_bytes(tiff("<", tags, [block * 64]), "a").astype(int)
    expected = (
        luma + 1.402 * (red - 128),
        luma - 0.344 * (blue - 128) - 0.714 * (red - 128),
        luma + 1.772 * (blue - 128),
    )
    assert np.abs(pixels - np.array(expected)).max() <= 2


def test_of_several_pages_the_first_whole_one_is_read():
    array = numbers("u1")
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(array[::4, ::4], subfiletype=1)  # a small copy
        writer.write(array)
        writer.write(255 - array)
    with picture_in_hand(MemoryImage("a", stream.getvalue())) as picture:
        assert np.array_equal(picture.pixels, grey(array, 255))
        assert picture.pages == 2


def test_reversed_bits():
    array = numbers("u1", bits=1)
    rows = np.packbits(array, axis=1, bitorder="little").tobytes()
    tags = {256: (4, [53]), 257: (4, [37]), 258: (3, [1]), 259: (3, [1]), 262: (3, [0])}
    content = tiff("<", {**tags, 266: (3, [2]), 277: (3, [1]), 278: (3, [37])}, [rows])
    expected = grey(array, 1, white_is_zero=True)
    assert np.array_equal(decode_image_bytes(content, "a"), expected)


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({277: (3, [3]), 258: (3, [8] * 3)}, "3 samples per pixel, of unknown meaning"),
        ({259: (3, [34712])}, "compression has the number 34712"),
        ({262: (3, [32803])}, "colours are of kind 32803"),
        ({277: (3, [3]), 258: (3, [5, 6, 5]), 262: (3, [2])}, "differ in their bits"),
        ({258: (3, [24])}, "samples have 24 bits"),
        ({256: (4, [0])}, "size is missing"),
        ({322: (4, [60000]), 323: (4, [60000])}, "size of its parts"),
        ({262: (3, [3])}, "palette is too short"),
    ],
)
def test_what_is_not_read_is_named(tags, why):
    usual = {256: (4, [8]), 257: (4, [8]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1])}
    content = tiff("<", {**usual, 277: (3, [1]), 278: (3, [8]), **tags}, [bytes(64 * 8)])
    with pytest.raises(ImageError, match=f"part of it is not read: .*{why}") as caught:
        decode_image_bytes(content, "part of it")
    assert "8 or 16" in caught.value.mend


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "jpeg"])
@pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.95])
def test_a_cut_file_is_truncated(compression, kept):
    content = written(numbers("u1"), photometric="minisblack", compression=compression)
    with pytest.raises(TruncatedImageError):
        decode_image(MemoryImage("a", content[: int(len(content) * kept)]))


def test_a_strip_without_its_length():
    array = numbers("u1")
    plain = written(array, photometric="minisblack", compression="lzw", metadata=None)
    page = tifffile.TiffFile(io.BytesIO(plain)).pages[0]
    (start,), (length,) = page.dataoffsets, page.databytecounts
    tags = {256: (4, [53]), 257: (4, [37]), 258: (3, [8]), 259: (3, [5]), 262: (3, [1])}
    content = tiff("<", tags, [plain[start : start + length]])
    place = content.rindex(struct.pack("<HHI", 279, 4, 1))
    content = content[:place] + struct.pack("<H", 65000) + content[place + 2 :]
    # the directory stands behind the strip, so that the strip seems longer than it is
    assert np.array_equal(decode_image_bytes(content, "a"), grey(array, 255))


def test_a_stack_of_imagej_has_pages_that_it_does_not_list():
    stack = numbers("u2", 5, *SIZE)
    content = written(stack, imagej=True)
    with picture_in_hand(MemoryImage("a", content)) as picture:
        assert np.array_equal(picture.pixels, grey(stack[0], 65535))
        assert picture.pages == 5
