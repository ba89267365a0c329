"""Metadata, however long or damaged, never cost the picture."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from forms import png, png_chunk, tiff
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from mintad.data.decoding import decode_image_bytes

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
ONE_FIELD = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01"  # the orientation
EXIF = {
    "empty": b"",
    "no header": b"Exif\0\0",
    "a letter": b"Exif\0\0this is no TIFF",
    "cut": b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
    "an endless directory": ONE_FIELD + b"\x03\0\x01\0\0\0\x01\0\0\0\x08\0\0\0",
    "a place beyond the end": b"Exif\0\0MM\0*\xff\xff\xff\xf0",
    "the orientation is text": ONE_FIELD + b"\x02\0\x08\0\0\0\x7f\0\0\0\0\0\0\0",
    "the orientation is 77": ONE_FIELD + b"\x03\0\x01\0\0\0\x4d\0\0\0\0\0\0\0",
    "long": b"Exif\0\0II*\0" + b"\xa5" * 60_000,
}


def encoded(form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, form, **options)
    return stream.getvalue()


def jpeg_with(*blocks: bytes) -> tuple[bytes, NDArray[np.uint8]]:
    """A JPEG with blocks of marker and data after its start, and its pixels without them."""
    plain = encoded("JPEG", quality=95)
    inside = b"".join(
        b"\xff" + block[:1] + struct.pack(">H", len(block) + 1) + block[1:] for block in blocks
    )
    return plain[:2] + inside + plain[2:], decode_image_bytes(plain, "plain")


def webp_with(kind: bytes, data: bytes) -> bytes:
    """A lossless WebP in its extended form, with one more chunk."""
    plain = encoded("WEBP", lossless=True)
    flags = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}.get(kind, 0)
    size = (PIXELS.shape[1] - 1).to_bytes(3, "little") + (PIXELS.shape[0] - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + size
    more = kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    picture = plain[12:]
    body = b"WEBP" + extended + (more + picture if kind == b"ICCP" else picture + more)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("exif", EXIF.values(), ids=EXIF)
def test_damaged_exif(exif):
    content, pixels = jpeg_with(b"\xe1" + exif)
    assert np.array_equal(decode_image_bytes(content, "jpeg"), pixels)
    chunk = png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    for content in (
        png(PIXELS, "rgb", 8, before=chunk),
        png(PIXELS, "rgb", 8, after=chunk),
        png(PIXELS, "rgb", 8, before=png_chunk(b"eXIf", exif)),
        png(PIXELS, "rgb", 8, before=png_chunk(b"tEXt", b"Raw profile type exif\0" + exif)),
        webp_with(b"EXIF", exif),
    ):
        assert np.array_equal(decode_image_bytes(content, "a"), PIXELS)


@pytest.mark.parametrize("size", [0, 3, 127, 2_000_000])
def test_odd_and_giant_profiles(size):
    profile = b"\xa5" * size
    for content in (
        encoded("PNG", icc_profile=profile or b"?"),
        png(PIXELS, "rgb", 8, before=png_chunk(b"iCCP", b"odd\0\0" + zlib.compress(profile)[:-3])),
        png(PIXELS, "rgb", 8, before=png_chunk(b"iCCP", profile)),
        encoded("TIFF", icc_profile=profile),
        webp_with(b"ICCP", profile),
    ):
        assert np.array_equal(decode_image_bytes(content, "a"), PIXELS)
    block = b"\xe2ICC_PROFILE\0" + bytes([9, 2]) + profile[:60_000]
    content, pixels = jpeg_with(block, block, b"\xe2ICC_PROFILE\0")
    assert np.array_equal(decode_image_bytes(content, "a"), pixels)


def test_long_texts():
    for zipped in (False, True):
        notes = PngImagePlugin.PngInfo()
        notes.add_text("settings", "x" * 2_000_000, zip=zipped)
        notes.add_itxt("more", "ü" * 2_000_000, zip=zipped)
        assert np.array_equal(decode_image_bytes(encoded("PNG", pnginfo=notes), "a"), PIXELS)
    content, pixels = jpeg_with(
        *([b"\xfe" + b"x" * 60_000] * 100), b"\xed" + b"Photoshop 3.0\0" * 9
    )
    assert np.array_equal(decode_image_bytes(content, "a"), pixels)
    xmp = b"\xe1http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation='?'"
    assert np.array_equal(decode_image_bytes(jpeg_with(xmp)[0], "a"), pixels)
    assert np.array_equal(decode_image_bytes(webp_with(b"XMP ", b"\xff" * 300_001), "a"), PIXELS)


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(50_000_000))),
        png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(50_000_000))),
        png_chunk(b"tEXt", b"no value"),
        png_chunk(b"iTXt", b"x\0\1\1"),
        png_chunk(b"pHYs", b"short"),
        png_chunk(b"gAMA", b""),
        png_chunk(b"cHRM", b"\xff" * 7),
        png_chunk(b"sRGB", b""),
        png_chunk(b"tIME", b"\xff" * 9),
        png_chunk(b"tEXt", b"a\0b", check=0),
        png_chunk(b"acTL", b""),
        png_chunk(b"fcTL", bytes(5)),
        png_chunk(b"sBIT", b"\x09\x09\x09"),
        png_chunk(b"prVt", bytes(100_000)),
        png_chunk(b"tRNS", b""),
        png_chunk(b"tRNS", bytes(2)),
    ],
    ids=lambda chunk: repr(chunk[4:20]),
)
def test_odd_chunks_of_a_png(chunk):
    for place in ("before", "after"):
        content = png(PIXELS, "rgb", 8, **{place: chunk * 2})
        assert np.array_equal(decode_image_bytes(content, "a"), PIXELS)


@pytest.mark.parametrize(
    "tags",
    [
        {34665: (4, [0xFFFFFFF0])},  # EXIF beyond the end
        {34675: (1, [7] * 3)},  # a profile of three bytes
        {700: (1, [255] * 9)},  # XMP
        {282: (3, [0]), 283: (3, [0]), 296: (3, [99])},  # resolution
        {270: (1, [0] * 100_000)},  # a long description
        {33723: (4, [1, 2, 3]), 34377: (1, [1])},  # IPTC, Photoshop
        {330: (4, [8])},  # pages inside this page
        {306: (3, [1])},  # a date that is a number
    ],
)
def test_odd_tags_of_a_tiff(tags):
    usual = {256: (4, [24]), 257: (4, [16]), 258: (3, [8] * 3), 259: (3, [1]), 262: (3, [2])}
    usual |= {277: (3, [3]), 278: (3, [16])}
    for order in "<>":
        content = tiff(order, usual | tags, [PIXELS.tobytes()])
        assert np.array_equal(decode_image_bytes(content, "a"), PIXELS)


def test_the_orientation_is_found_in_every_place():
    turned = np.rot90(PIXELS, -1)  # 6: shown turned clockwise by a quarter
    exif = Image.Exif()
    exif[0x0112] = 6
    block = exif.tobytes()
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    hexadecimal = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    for content in (
        png(PIXELS, "rgb", 8, before=png_chunk(b"eXIf", block.removeprefix(b"Exif\0\0"))),
        png(PIXELS, "rgb", 8, after=png_chunk(b"eXIf", block.removeprefix(b"Exif\0\0"))),
        png(PIXELS, "rgb", 8, before=png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)),
        png(PIXELS, "rgb", 8, before=png_chunk(b"tEXt", b"Raw profile type exif\0" + hexadecimal)),
        png(
            PIXELS,
            "rgb",
            8,
            before=png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(hexadecimal)),
        ),
        webp_with(b"EXIF", block),
        webp_with(b"XMP ", xmp),
    ):
        assert np.array_equal(decode_image_bytes(content, "a"), turned)
    for data in (b"\xe1" + block, b"\xe1http://ns.adobe.com/xap/1.0/\0" + xmp):
        content, pixels = jpeg_with(data)
        assert np.array_equal(decode_image_bytes(content, "a"), np.rot90(pixels, -1))


@pytest.mark.parametrize("more", [1, 3, 40, 300, 60_000])
def test_blocks_whose_length_is_wrong(more):
    data = b"Exif\0\0" + bytes(range(1, 90))
    wrong = struct.pack(">H", 2 + len(data) + more)
    plain, pixels = jpeg_with()
    content = plain[:2] + b"\xff\xe1" + wrong + data + plain[2:]
    assert np.array_equal(decode_image_bytes(content, "jpeg"), pixels)
    chunk = png_chunk(b"tEXt", b"a\0" + data)
    chunk = struct.pack(">I", len(data) + 2 + more) + chunk[4:]
    assert np.array_equal(decode_image_bytes(png(PIXELS, "rgb", 8, before=chunk), "png"), PIXELS)
    content = webp_with(b"EXIF", data)
    place = content.rindex(b"EXIF") + 4
    content = content[:place] + struct.pack("<I", len(data) + more) + content[place + 4 :]
    assert np.array_equal(decode_image_bytes(content, "webp"), PIXELS)
