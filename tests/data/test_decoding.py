from __future__ import annotations

import contextlib
import hashlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mintad.data import MemoryImage, decode_image, decode_mask, image_digest
from mintad.data.decoding import (
    EmptyImageError,
    MissingImageError,
    OversizedImageError,
    TruncatedImageError,
)
from mintad.errors import ImageError

LOSSLESS = [
    ("PNG", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ("WEBP", {"lossless": True}),
]


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def memory(content: Any) -> MemoryImage:
    return MemoryImage("some image", content)


def decoded(image: Image.Image, form: str = "PNG", **options: Any) -> np.ndarray:
    pixels = decode_image(memory(encoded(image, form, **options)))
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.flags.c_contiguous
    return pixels


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + kind + data
        chunks += struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunks


def tiff(order: str, bits: int, content: bytes) -> bytes:
    """A grey TIFF of one row of three pixels, uncompressed, in a byte order ("<" or ">")."""
    tags = {256: 3, 257: 1, 258: bits, 259: 1, 262: 1, 273: 200, 277: 1, 278: 1, 279: len(content)}
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(tags))
    for tag, value in tags.items():
        start += struct.pack(order + "HHII", tag, 4, 1, value)
    return (start + bytes(4)).ljust(200, b"\0") + content


@pytest.mark.parametrize(("form", "options"), LOSSLESS)
def test_lossless_formats_give_the_pixels_back(paint, form, options):
    pixels = paint()
    assert np.array_equal(decoded(Image.fromarray(pixels), form, **options), pixels)


def test_a_file_and_its_bytes_give_the_same(write, paint):
    path = write("a.png", paint(3))
    assert np.array_equal(decode_image(path), decode_image(memory(path.read_bytes())))


def test_jpeg_is_near_its_pixels():
    pixels = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    difference = decoded(Image.fromarray(pixels), "JPEG", quality=95).astype(int) - pixels
    assert np.abs(difference).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(form, orientation):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24] = 250  # the upper left is bright, the upper right half so
    upright[:16, 24:] = 120
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),  # shown turned clockwise by a quarter
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored[orientation]))
    pixels = decoded(image, form, exif=exif)
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright)[4:12, 4:20].max() < 20
    assert np.abs(pixels.astype(int) - upright)[4:12, 28:44].max() < 20
    assert np.abs(pixels.astype(int) - upright)[20:28].max() < 20


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_grey_is_repeated(form, paint):
    grey = paint()[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    assert np.array_equal(decoded(Image.fromarray(grey), form), expected)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_one_bit_is_black_and_white(form, paint):
    bits = paint()[..., 0] > 127
    pixels = decoded(Image.fromarray(bits), form)
    assert np.array_equal(pixels[..., 0], np.where(bits, 255, 0))


def test_palette():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    assert decoded(image).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    assert decoded(image, transparency=1).tolist() == [[[10, 20, 30], [0, 0, 0]]]


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_alpha_is_laid_over_black(form):
    image = Image.fromarray(
        np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 51]]], np.uint8)
    )
    assert decoded(image, form).tolist() == [[[200, 100, 50], [0, 0, 0], [40, 20, 10]]]


def test_grey_alpha_is_laid_over_black():
    image = Image.fromarray(np.array([[[200, 255], [200, 0]]], np.uint8), "LA")
    assert decoded(image).tolist() == [[[200] * 3, [0] * 3]]


def test_a_transparent_colour_is_black():
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    assert decoded(image, transparency=(1, 2, 3)).tolist() == [[[0, 0, 0], [4, 5, 6]]]


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_is_converted(form):
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixels = decoded(cmyk, form)
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_over_its_full_range(form):
    values = np.array([[0, 128, 129, 257, 30000, 65534, 65535]], np.uint16)
    expected = np.rint(values.astype(np.float64) * 255 / 65535)
    pixels = decoded(Image.fromarray(values), form)
    assert np.array_equal(pixels[..., 0], expected)
    assert np.array_equal(pixels[..., 2], expected)


def test_big_endian_and_twelve_bit_tiff():
    values = np.array([0, 1000, 4095], ">u2").tobytes()
    assert decode_image(memory(tiff(">", 16, values)))[0, :, 0].tolist() == [0, 4, 16]
    packed = bytes([0x00, 0x03, 0xE8, 0xFF, 0xF0])  # 0, 1000 and 4095, twelve bits each
    assert decode_image(memory(tiff("<", 12, packed)))[0, :, 0].tolist() == [0, 62, 255]
    assert decode_mask(memory(tiff("<", 12, packed))).tolist() == [[False, False, True]]


def test_values_without_a_full_scale_are_refused():
    content = encoded(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF")
    with pytest.raises(ImageError, match=r"some image holds .* no fixed full scale") as caught:
        decode_image(memory(content))
    assert "8 or 16" in caught.value.mend


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingImageError, match=r"absent\.png does not exist"):
        decode_image(tmp_path / "absent.png")
    with pytest.raises(MissingImageError, match="cannot be read"):
        decode_image(tmp_path)
    with pytest.raises(MissingImageError, match=r"absent\.png"):
        image_digest(tmp_path / "absent.png")


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "void.png").write_bytes(b"")
    with pytest.raises(EmptyImageError, match=r"void\.png is empty"):
        decode_image(tmp_path / "void.png")


@pytest.mark.parametrize("content", [b"a letter, not an image\n", b"GIF89a" + bytes(20), b"\x89P"])
def test_other_files_with_an_image_name_are_named(tmp_path, content):
    path = tmp_path / "letter.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"letter\.png is not a PNG, JPEG") as caught:
        decode_image(path)
    assert caught.value.mend


@pytest.mark.parametrize(("form", "options"), [*LOSSLESS, ("JPEG", {}), ("WEBP", {})])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_truncated_files_are_named(paint, form, options, part):
    content = encoded(Image.fromarray(paint(1, 40, 40)), form, **options)
    with pytest.raises(TruncatedImageError, match="some image is truncated"):
        decode_image(memory(content[: int(part * len(content))]))
    with pytest.raises(TruncatedImageError, match="some image is truncated"):
        decode_mask(memory(content[: int(part * len(content))]))


def test_a_corrupt_png_is_named(paint):
    content = bytearray(encoded(Image.fromarray(paint(1, 40, 40)), "PNG"))
    content[60:90] = bytes(30)
    with pytest.raises(ImageError, match="some image cannot be decoded") as caught:
        decode_image(memory(bytes(content)))
    assert not isinstance(caught.value, TruncatedImageError)


def test_the_pixel_limit_is_checked_before_decoding(paint):
    bomb = memory(png_header(30_000, 30_000))
    with pytest.raises(OversizedImageError, match="some image has 30000 x 30000 pixels"):
        decode_image(bomb)
    with pytest.raises(OversizedImageError):
        decode_mask(bomb)
    small = memory(encoded(Image.fromarray(paint()), "PNG"))
    assert decode_image(small, max_pixels=12 * 16).shape == (12, 16, 3)
    with pytest.raises(OversizedImageError, match="limit of 191"):
        decode_image(small, max_pixels=12 * 16 - 1)
    with pytest.raises(OversizedImageError):
        decode_image(memory(paint()), max_pixels=12 * 16 - 1)


def test_images_above_pillows_own_limit_are_decoded(monkeypatch, paint):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert decoded(Image.fromarray(paint())).shape == (12, 16, 3)


def test_arrays_in_memory(paint):
    pixels = paint()
    assert np.array_equal(decode_image(memory(pixels)), pixels)
    assert np.array_equal(decode_image(memory(pixels[..., 1]))[..., 2], pixels[..., 1])
    assert decode_image(memory(pixels[:, ::-1])).flags.c_contiguous
    mask = np.where(pixels[..., 0] > 200, 255, 0).astype(np.uint8)
    assert np.array_equal(decode_mask(memory(mask)), mask > 0)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4,), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(pixels):
    with pytest.raises(ImageError, match="some image"):
        decode_image(memory(pixels))


def test_masks_are_cut_at_half_of_full_scale():
    grey = np.array([[0, 17, 127, 128, 255]], np.uint8)
    assert decode_mask(memory(encoded(Image.fromarray(grey), "PNG"))).tolist() == [
        [False, False, False, True, True]
    ]
    deep = np.array([[0, 32767, 32768, 65535]], np.uint16)
    assert decode_mask(memory(encoded(Image.fromarray(deep), "PNG"))).tolist() == [
        [False, False, True, True]
    ]
    colour = np.array([[[0, 0, 0], [200, 0, 0]]], np.uint8)
    assert decode_mask(memory(encoded(Image.fromarray(colour), "PNG"))).tolist() == [[False, True]]
    bits = np.array([[True, False]])
    assert decode_mask(memory(encoded(Image.fromarray(bits), "PNG"))).tolist() == [[True, False]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_masks_of_class_numbers(dtype):
    for values in ([[0, 1]], [[0, 3]], [[0, 16]]):
        content = encoded(Image.fromarray(np.array(values, dtype)), "PNG")
        assert decode_mask(memory(content)).tolist() == [[False, True]]
    content = encoded(Image.fromarray(np.zeros((2, 2), dtype)), "PNG")
    assert not decode_mask(memory(content)).any()


def test_palette_masks_are_true_where_not_black():
    image = Image.new("P", (3, 1))
    image.putpalette([0, 0, 0, 64, 0, 0, 0, 0, 100])
    image.putdata([0, 1, 2])
    assert decode_mask(memory(encoded(image, "PNG"))).tolist() == [[False, True, True]]


def test_masks_follow_the_orientation_of_images():
    mask = np.zeros((4, 6), np.uint8)
    mask[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode_mask(memory(encoded(Image.fromarray(mask), "PNG", exif=exif)))
    assert turned.shape == (6, 4)
    assert turned[:, -1].all()
    assert not turned[:, :-1].any()


def test_digests(tmp_path, paint):
    content = encoded(Image.fromarray(paint()), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    assert image_digest(path) == image_digest(memory(content)) == expected
    pixels = paint()
    assert image_digest(memory(pixels)) == image_digest(MemoryImage("other", pixels.copy()))
    assert image_digest(memory(pixels)) != image_digest(memory(pixels.reshape(16, 12, 3)))
    assert image_digest(memory(pixels)) != image_digest(memory(paint(1)))


@settings(max_examples=200, deadline=None)
@given(
    form=st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP"]),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6),
    kept=st.floats(0.05, 1.0),
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damage_gives_pixels_or_an_image_error(form, changes, kept):
    pixels = np.arange(20 * 24 * 3, dtype=np.uint32).reshape(20, 24, 3).astype(np.uint8)
    content = bytearray(encoded(Image.fromarray(pixels), form))
    for place, value in changes:
        content[int(place * len(content))] = value
    source = memory(bytes(content[: max(1, int(kept * len(content)))]))
    for decode in (decode_image, decode_mask):
        with contextlib.suppress(ImageError):  # any other exception fails the test
            result = decode(source, max_pixels=1_000_000)
            assert 0 < result.shape[0] * result.shape[1] <= 1_000_000


def test_sources_are_named_by_path(tmp_path: Path):
    with pytest.raises(ImageError) as caught:
        decode_mask(tmp_path / "mask.png")
    assert str(tmp_path / "mask.png") in caught.value.problem
