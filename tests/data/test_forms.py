"""PNG, BMP and PNM in every form, against the values that were written and other decoders."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from forms import COLOURS, bmp, bmp_rows, png, png_chunk
from numpy.typing import NDArray
from PIL import Image

from mintad.data import MemoryImage, decode_image, decode_mask
from mintad.data.decoding import TruncatedImageError, decode_image_bytes, picture_in_hand
from mintad.errors import ImageError

HEIGHT, WIDTH = 23, 37


def numbers(most: int, *size: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, most + 1, size or (HEIGHT, WIDTH))


def on_three(grey: NDArray[np.int64], full: int) -> NDArray[np.int64]:
    return np.repeat(np.rint(grey * 255 / full).astype(int)[..., None], 3, axis=2)


def over_black(colour: NDArray[np.int64], alpha: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.rint(colour * (alpha / 255)[..., None]).astype(int)


def opencv(content: bytes) -> NDArray[np.uint8]:
    cv2 = pytest.importorskip("cv2")
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)


PNG_FORMS = [
    ("grey", 1), ("grey", 2), ("grey", 4), ("grey", 8), ("grey", 16), ("rgb", 8), ("rgb", 16),
    ("palette", 1), ("palette", 2), ("palette", 4), ("palette", 8), ("grey alpha", 8),
    ("grey alpha", 16), ("rgba", 8), ("rgba", 16),
]  # fmt: skip


@pytest.mark.parametrize(("colour", "depth"), PNG_FORMS)
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (1, 1), (3, 2), (64, 5)])
def test_png(colour, depth, interlaced, size):
    full = (1 << depth) - 1
    stored = numbers(full, *size, COLOURS[colour][1])
    palette = numbers(255, 1 << min(depth, 8), 3)
    before = png_chunk(b"gAMA", struct.pack(">I", 100_000))  # gamma is not used
    if colour == "palette":
        before += png_chunk(b"PLTE", palette.astype(np.uint8).tobytes())
        expected = palette[stored[..., 0]]
    elif colour.startswith("grey"):
        expected = on_three(stored[..., 0], full)
    else:
        expected = stored[..., :3] >> (depth - 8)
    if colour in ("grey alpha", "rgba") and stored[..., -1].any():
        expected = over_black(expected, stored[..., -1] >> (depth - 8))
    content = png(stored, colour, depth, interlaced=interlaced, before=before)
    assert np.array_equal(decode_image_bytes(content, "a"), expected)
    if colour in ("rgb", "rgba") or (colour == "grey" and depth >= 8):
        other = opencv(content).reshape(*size, -1)
        same = stored if colour == "grey" else stored[..., [2, 1, 0, 3][: stored.shape[2]]]
        assert np.array_equal(other, same)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("colour", ["grey", "rgb", "grey alpha", "rgba"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_bit_depth_of_a_png_can_be_said(colour, bits, interlaced):
    full = (1 << bits) - 1
    stored = numbers(full, HEIGHT, WIDTH, COLOURS[colour][1])
    if colour in ("grey alpha", "rgba"):
        stored[..., -1] = full
    content = png(stored, colour, 16, interlaced=interlaced)
    grey = colour.startswith("grey")
    expected = on_three(stored[..., 0], full) if grey else stored[..., :3] >> (bits - 8)
    with picture_in_hand(MemoryImage("a", content), bit_depth=bits) as picture:
        assert np.array_equal(picture.pixels, expected)
        assert picture.brightest == stored[..., : 1 if grey else 3].max()


def test_a_transparent_value_of_sixteen_bits_is_compared_whole():
    stored = numbers(65535, 5, 6, 3)
    stored[0, :2] = [(1, 2, 3), (1, 2, 4)]  # the same in the upper bytes
    expected = stored >> 8
    expected[0, 0] = 0
    content = png(stored, "rgb", 16, before=png_chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)))
    assert np.array_equal(decode_image_bytes(content, "a"), expected)
    grey = np.array([[[40000], [40001], [0]]])
    content = png(grey, "grey", 16, before=png_chunk(b"tRNS", struct.pack(">H", 40000)))
    assert decode_image_bytes(content, "a")[0, :, 0].tolist() == [0, 156, 0]


@pytest.mark.parametrize(("colour", "depth"), [("rgba", 8), ("rgba", 16), ("grey alpha", 8)])
def test_an_alpha_of_zero_everywhere_is_ignored_and_noticed(colour, depth):
    stored = numbers((1 << depth) - 1, HEIGHT, WIDTH, COLOURS[colour][1])
    stored[..., -1] = 0
    with picture_in_hand(MemoryImage("a", png(stored, colour, depth))) as picture:
        assert picture.hidden
        assert picture.pixels.any()
    stored[0, 0, -1] = 1
    with picture_in_hand(MemoryImage("a", png(stored, colour, depth))) as picture:
        assert not picture.hidden
        assert not picture.pixels[1:].any()


def test_a_deep_png_with_a_wrong_checksum_or_an_end_too_early_is_refused():
    stored = numbers(65535, HEIGHT, WIDTH, 3)
    content = bytearray(png(stored, "rgb", 16))
    content[200] ^= 1
    with pytest.raises(ImageError, match="checksum"):
        decode_image_bytes(bytes(content), "a")
    with pytest.raises(TruncatedImageError):
        decode_image_bytes(bytes(content[:200]), "a")


HEADERS = (12, 40, 52, 56, 64, 108, 124)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_bmp_with_palette(header, bits):
    stored, palette = numbers((1 << bits) - 1), numbers(255, 1 << bits, 3).astype(np.uint8)
    entries = palette[:, ::-1]
    if header != 12:
        entries = np.pad(entries, ((0, 0), (0, 1)))
    rows = bmp_rows(stored[::-1], bits)
    content = bmp(rows, WIDTH, HEIGHT, bits, header=header, palette=entries.tobytes())
    assert np.array_equal(decode_image_bytes(content, "a"), palette[stored])
    if header not in (12, 64) and bits != 2:
        assert np.array_equal(opencv(content)[..., ::-1], palette[stored])
    if header != 12:
        rows = bmp_rows(stored, bits)
        content = bmp(rows, WIDTH, -HEIGHT, bits, header=header, palette=entries.tobytes())
        assert np.array_equal(decode_image_bytes(content, "a"), palette[stored])


@pytest.mark.parametrize("header", HEADERS)
def test_bmp_of_24_and_32_bits(header):
    colour = numbers(255, HEIGHT, WIDTH, 3)
    pixels = colour @ [1 << 16, 1 << 8, 1]
    content = bmp(bmp_rows(pixels[::-1], 24), WIDTH, HEIGHT, 24, header=header)
    assert np.array_equal(decode_image_bytes(content, "a"), colour)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), colour)
    unused = pixels | numbers(255) << 24  # without masks the upper byte means nothing
    content = bmp(bmp_rows(unused[::-1], 32), WIDTH, HEIGHT, 32, header=header)
    assert np.array_equal(decode_image_bytes(content, "a"), colour)
    if header != 12:
        content = bmp(bmp_rows(pixels, 24), WIDTH, -HEIGHT, 24, header=header)
        assert np.array_equal(decode_image_bytes(content, "a"), colour)
        assert np.array_equal(opencv(content)[..., ::-1], colour)
    if header in (40, 108, 124):
        content = bmp(bmp_rows(pixels[::-1], 24), WIDTH, HEIGHT, 24, header=header, bare=True)
        assert np.array_equal(decode_image_bytes(content, "a"), colour)


@pytest.mark.parametrize("header", HEADERS)
def test_bmp_of_16_bits(header):
    stored = numbers(65535)
    fives = [np.rint((stored >> shift & 31) * 255 / 31) for shift in (10, 5, 0)]
    content = bmp(bmp_rows(stored[::-1], 16), WIDTH, HEIGHT, 16, header=header)
    pixels = decode_image_bytes(content, "a")
    assert np.array_equal(pixels, np.stack(fives, axis=2))
    if header == 12:
        return
    assert np.abs(opencv(content)[..., 2::-1].astype(int) - pixels).max() <= 7  # it only shifts
    if header == 64:
        return
    masks = (0xF800, 0x07E0, 0x001F, 0)
    content = bmp(
        bmp_rows(stored[::-1], 16), WIDTH, HEIGHT, 16, header=header, compression=3, masks=masks
    )
    if header == 40:
        content = content.replace(struct.pack("<I", 0x1F) + bytes(4), struct.pack("<I", 0x1F), 1)
        content = content[:10] + struct.pack("<I", 66) + content[14:]
    expected = [stored >> 11 & 31, stored >> 5 & 63, stored & 31]
    expected = [
        np.rint(part * 255 / most) for part, most in zip(expected, (31, 63, 31), strict=True)
    ]
    assert np.array_equal(decode_image_bytes(content, "a"), np.stack(expected, axis=2))


@pytest.mark.parametrize("header", [52, 56, 108, 124])
def test_bmp_with_masks_of_any_bits(header):
    deep = numbers(1023, HEIGHT, WIDTH, 3)
    pixels = deep @ [1 << 20, 1 << 10, 1]
    masks = (0x3FF << 20, 0x3FF << 10, 0x3FF, 0)
    rows = bmp_rows(pixels[::-1], 32)
    content = bmp(rows, WIDTH, HEIGHT, 32, header=header, compression=3, masks=masks)
    assert np.array_equal(decode_image_bytes(content, "a"), np.rint(deep * 255 / 1023))
    colour = deep >> 2
    rows = bmp_rows((colour @ [1, 1 << 8, 1 << 16])[::-1], 32)
    masks = (0xFF, 0xFF00, 0xFF0000, 0)
    content = bmp(rows, WIDTH, HEIGHT, 32, header=header, compression=3, masks=masks)
    assert np.array_equal(decode_image_bytes(content, "a"), colour)


@pytest.mark.parametrize("header", [56, 108, 124])
def test_bmp_with_alpha(header):
    colour, alpha = numbers(255, HEIGHT, WIDTH, 3), numbers(255)
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    options = {"header": header, "compression": 3, "masks": masks}
    pixels = colour @ [1 << 16, 1 << 8, 1]
    content = bmp(bmp_rows((pixels | alpha << 24)[::-1], 32), WIDTH, HEIGHT, 32, **options)
    assert np.array_equal(decode_image_bytes(content, "a"), over_black(colour, alpha))
    content = bmp(bmp_rows(pixels[::-1], 32), WIDTH, HEIGHT, 32, **options)
    with picture_in_hand(MemoryImage("a", content)) as picture:  # as programs write screenshots
        assert np.array_equal(picture.pixels, colour)
        assert picture.hidden


def runs(stored: NDArray[np.int64]) -> bytes:
    """Run lengths of 8 bits: equal neighbours as runs, others as they are where three are left."""
    lines = b""
    for row in stored[::-1]:
        place = 0
        while place < len(row):
            if place + 3 <= len(row) and row[place] != row[place + 1]:
                lines += bytes([0, 3, *row[place : place + 3].tolist(), 0])
                place += 3
                continue
            count = 2 if row[place : place + 2].tolist() == [row[place]] * 2 else 1
            lines += bytes([count, int(row[place])])
            place += count
        lines += b"\0\0"
    return lines + b"\0\1"


def test_bmp_of_run_lengths():
    palette = numbers(255, 256, 3).astype(np.uint8)
    entries = np.pad(palette[:, ::-1], ((0, 0), (0, 1))).tobytes()
    stored = numbers(2)
    content = bmp(runs(stored), WIDTH, HEIGHT, 8, compression=1, palette=entries)
    assert np.array_equal(decode_image_bytes(content, "a"), palette[stored])
    assert np.array_equal(opencv(content)[..., ::-1], palette[stored])
    halves = b"".join(
        b"".join(bytes([1, value << 4]) for value in row.tolist()) + b"\0\0" for row in stored[::-1]
    )
    content = bmp(halves + b"\0\1", WIDTH, HEIGHT, 4, compression=2, palette=entries[:64])
    assert np.array_equal(decode_image_bytes(content, "a"), palette[stored])
    assert np.array_equal(opencv(content)[..., ::-1], palette[stored])
    step = bytes([2, 1, 0, 2, 1, 1, 1, 2, 0, 1])  # two pixels, one right and one up, a pixel
    expected = np.zeros((3, 4), int)
    expected[2, :2], expected[1, 3] = 1, 2
    content = bmp(step, 4, 3, 8, compression=1, palette=entries)
    assert np.array_equal(decode_image_bytes(content, "a"), palette[expected])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"bits": 5}, "5 bits per pixel"),
        ({"bits": 24, "compression": 4}, "compression 4"),
        ({"bits": 8, "compression": 2}, "header is wrong"),
        ({"bits": 24, "header": 41}, ""),
        ({"bits": 24, "header": 20}, "header has 20 bytes"),
    ],
)
def test_a_bmp_that_is_not_read_is_named(options, why):
    with pytest.raises(ImageError, match=f"a bitmap.*{why}"):
        decode_image_bytes(bmp(bytes(30), 4, 4, **options), "a bitmap")


def test_pnm():
    colour, deep, bits = numbers(255, HEIGHT, WIDTH, 3), numbers(4095), numbers(1)
    size = f"{WIDTH} {HEIGHT}".encode()
    plain = " ".join(map(str, colour.reshape(-1).tolist())).encode()
    grey = colour[..., 0]
    raw = grey.astype(np.uint8).tobytes()
    forms = [
        (b"P6\n# taken by night\n" + size + b"\n255\n" + colour.astype(np.uint8).tobytes(), colour),
        (b"P5 " + size + b" 255\n" + raw, on_three(grey, 255)),
        (b"P3\n" + size + b"\n# plain\n255\n" + plain + b"\n", colour),
        (b"P5 " + size + b" 4095\n" + deep.astype(">u2").tobytes(), on_three(deep, 4095)),
        (
            b"P2 " + size + b" 4095\n" + b" ".join(b"%d" % v for v in deep.ravel()),
            on_three(deep, 4095),
        ),
        (
            b"P5 " + size + b" 65535 " + (deep * 16).astype(">u2").tobytes(),
            on_three(deep * 16, 65535),
        ),
        (
            b"P5 " + size + b" 101 " + (grey % 102).astype(np.uint8).tobytes(),
            on_three(grey % 102, 101),
        ),
        (b"P1 " + size + b"\n" + b"".join(b"%d" % v for v in bits.ravel()), on_three(1 - bits, 1)),
        (
            b"P4 " + size + b"\n" + np.packbits(bits.astype(np.uint8), axis=1).tobytes(),
            on_three(1 - bits, 1),
        ),
    ]
    for content, expected in forms:
        assert np.array_equal(decode_image_bytes(content, content[:2].decode()), expected)
        with pytest.raises(TruncatedImageError):
            decode_image(MemoryImage("a", content[: len(content) * 2 // 3]))
    assert np.array_equal(opencv(forms[0][0])[..., ::-1], colour)
    assert np.array_equal(decode_mask(MemoryImage("a", forms[7][0])), bits == 0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"P5 x y 255\n" + bytes(9), "it has no size"),
        (b"P5 0 3 255\n" + bytes(9), "0 x 3 pixels"),
        (b"P5 3 3 70000\n" + bytes(18), "up to 70000"),
        (b"P2 3 1 255\n1 2 300\n", "larger than 255"),
        (b"P2 3 1 255\n1 2 three\n", "other than numbers"),
    ],
)
def test_a_wrong_pnm_is_named(content, why):
    with pytest.raises(ImageError, match=f"a map.*{why}"):
        decode_image_bytes(content, "a map")
