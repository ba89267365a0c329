"""Odd and hostile files, some hundreds: all are named or read, the others read, memory bounded."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from forms import bmp, bmp_rows, png, png_chunk, tiff
from PIL import Image

from mintad.data import MemoryImage, Preprocessing, decode_image, load_prepared, read
from mintad.data.budget import pixels_in_hand
from mintad.data.decoding import LONGEST_SIDE, MissingImageError, OversizedImageError
from mintad.errors import ImageError
from mintad.system.words import printable

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
LIMIT = 20_000_000
MOST_MEMORY = 700_000_000
"""Bytes that a process may take: the libraries, and the largest images one after another."""

GOOD = 12


def encoded(form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, form, **options)
    return stream.getvalue()


def forms() -> dict[str, bytes]:
    """A sound file of each form."""
    usual = {256: (4, [48]), 257: (4, [40]), 258: (3, [8] * 3), 259: (3, [1]), 262: (3, [2])}
    values = PIXELS.astype(int) @ [1 << 16, 1 << 8, 1]
    strips = [rows.tobytes() for rows in np.split(PIXELS, 5)]
    return {
        "png": encoded("PNG"),
        "deep.png": png(PIXELS.astype(int) * 257, "rgb", 16, interlaced=True),
        "jpg": encoded("JPEG"),
        "progressive.jpg": encoded("JPEG", progressive=True),
        "tif": tiff("<", {**usual, 277: (3, [3]), 278: (3, [8])}, strips),
        "lzw.tif": encoded("TIFF", compression="tiff_lzw"),
        "jpeg.tif": encoded("TIFF", compression="jpeg"),
        "bmp": bmp(bmp_rows(values[::-1], 24), 48, 40, 24),
        "webp": encoded("WEBP", lossless=True),
        "ppm": b"P6 48 40 255\n" + PIXELS.tobytes(),
    }


def png_of(width: int, height: int, depth: int = 8, kind: int = 0, rows: bytes = b"") -> bytes:
    """A PNG that announces this size; its rows are zeros, which take next to no room."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    data = png_chunk(b"IDAT", rows or zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + data + png_chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """So many zeros, deflated without ever being whole in memory."""
    deflate = zlib.compressobj(1)
    block = bytes(1 << 20)
    parts = [deflate.compress(block) for _ in range(count >> 20)]
    return b"".join([*parts, deflate.compress(bytes(count & (1 << 20) - 1)), deflate.flush()])


def damaged() -> Iterator[tuple[str, bytes]]:
    """Every form, cut, with changed bytes, with more behind it."""
    for ending, content in forms().items():
        for part in (1, 2, 4, 8, 12, 20, 33, 60, 120):
            yield f"cut_{part}.{ending}", content[:part]
        for number in range(1, 6):
            yield f"part_{number}.{ending}", content[: len(content) * number // 6]
        rng = np.random.default_rng(len(content))
        for number in range(14):
            changed = bytearray(content)
            for place in rng.integers(0, min(len(content), 2000), 1 + number):
                changed[place] = int(rng.integers(0, 256))
            yield f"changed_{number}.{ending}", bytes(changed)
        yield f"more.{ending}", content + bytes(1000)
        yield f"before.{ending}", b"\n" + content
        yield f"text.{ending}", content.decode("latin1").encode("utf-8")


def liars() -> Iterator[tuple[str, bytes]]:
    """Headers that announce what is not there, or far too much of it."""
    grey = {256: (4, [8]), 257: (4, [8]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1])}
    grey |= {277: (3, [1]), 278: (3, [8])}
    yield "narrow.png", png_of(1, 200_000_000)
    yield "flat.png", png_of(200_000_000, 1, depth=1, rows=zeros(25_000_001))
    yield "bomb.png", png_of(4_470, 4_470, rows=zeros(4_470 * 4_471))
    yield "bomb_rgb.png", png_of(4_470, 4_470, kind=2, rows=zeros(4_470 * 13_411))
    yield "bomb_alpha.png", png_of(3_160, 3_160, 16, 6, rows=zeros(3_160 * 25_281))
    yield "over.png", png_of(4_480, 4_480, rows=zeros(4_480 * 4_481))
    yield "huge.png", png_of(2**31 - 1, 2**31 - 1)
    yield "nothing.png", png_of(0, 0)
    yield "chunk.png", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR"
    yield "chunks.png", b"\x89PNG\r\n\x1a\n" + png_chunk(b"tEXt", b"") * 100_000
    yield "text.png", png(PIXELS, "rgb", 8, before=png_chunk(b"zTXt", b"a\0\0" + zeros(1 << 26)))
    yield "pbm_huge.pbm", b"P4 65500 3000\n"
    yield "digits.pgm", b"P5 " + b"9" * 100_000 + b" 9 255\n"
    yield "comment.pgm", b"P5 #" + b"x" * 200_000
    yield "plain.ppm", b"P3 65500 3000 255\n" + b"1 " * 1000
    for name, changes in {
        "tile": {322: (4, [2**31]), 323: (4, [2**31])},
        "tile_0": {322: (4, [0]), 323: (4, [0])},
        "rows_0": {278: (3, [0])},
        "wide": {256: (4, [2**32 - 1])},
        "samples": {277: (3, [65535])},
        "bits_0": {258: (3, [0])},
        "bits": {258: (3, [65535])},
        "format": {339: (3, [9])},
        "planes": {284: (3, [2]), 277: (3, [3]), 258: (3, [8] * 3), 262: (3, [2])},
        "palette": {262: (3, [3]), 320: (3, [1])},
        "predictor": {317: (3, [77]), 259: (3, [5])},
        "fax": {259: (3, [4]), 258: (3, [1])},
        "jpeg": {259: (3, [7])},
        "deflate": {259: (3, [8])},
        "zstd": {259: (3, [50000])},
        "webp": {259: (3, [50001])},
        "ycbcr": {262: (3, [6]), 277: (3, [3]), 258: (3, [8] * 3), 530: (3, [0, 0])},
        "lab": {262: (3, [8]), 277: (3, [3]), 258: (3, [8] * 3)},
    }.items():
        yield f"{name}.tif", tiff("<", grey | changes, [bytes(64)])
        yield f"{name}_big_endian.tif", tiff(">", grey | changes, [bytes(64)])
    yield "loop.tif", b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0"
    yield "pages.tif", b"II*\0\x08\0\0\0\xff\xff" + bytes(50)
    yield "big.tif", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63)
    for width, height, bits in (
        (2**31 - 1, 2**31 - 1, 24),
        (0, 0, 24),
        (-5, 5, 24),
        (9, -(2**31), 8),
    ):
        yield f"{width}_{height}.bmp", bmp(b"", width, height, bits)
    yield (
        "run.bmp",
        bmp(b"\0\2\xff\xff" * 9000, 60_000, 3_000, 8, compression=1, palette=bytes(1024)),
    )
    yield "masks.bmp", bmp(bytes(64), 4, 4, 32, header=108, compression=3, masks=(0, 0, 0, 0))
    scan = encoded("JPEG", progressive=True)
    start = scan.index(b"\xff\xda")
    yield "scans.jpg", scan[:start] + scan[start : start + 40] * 5_000 + b"\xff\xd9"
    tall = bytearray(encoded("JPEG"))
    place = tall.index(b"\xff\xc0")
    tall[place + 5 : place + 9] = struct.pack(">HH", 65_535, 65_535)
    yield "tall.jpg", bytes(tall)
    for name, content in {
        "letter": b"a letter, not an image\n",
        "page": b"<!DOCTYPE html><title>404</title>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "gif": b"GIF89a" + bytes(40),
        "zip": b"PK\3\4" + bytes(90),
        "heic": b"\0\0\0\x18ftypheic" + bytes(90),
        "zeros": bytes(5000),
        "ones": b"\xff" * 5000,
        "program": b"\x7fELF" + bytes(90),
        "webp": b"RIFF\xff\xff\xff\xffWEBPVP8X\xff\xff\xff\xff" + bytes(90),
        "empty": b"",
    }.items():
        for ending in ("png", "jpg", "tif"):
            yield f"{name}.{ending}", content


NAMES = ("\x1b[31mred", "two\nlines", "tab\there", "\u202egnp", "x" * 240, "ü", "a'b\"c", "%s{}")
LARGE = ("bomb.png", "bomb_rgb.png", "bomb_alpha.png", "text.png")


def write_corpus(folder: Path) -> None:
    """All the files, and what is no file, into a folder."""
    folder.mkdir(parents=True)
    for number in range(GOOD):
        Image.fromarray(np.roll(PIXELS, number)).save(folder / f"good_{number}.png")
    for name, content in (*damaged(), *liars()):
        (folder / name).write_bytes(content)
    for name in (*NAMES, os.fsdecode(b"\xff\xfe")):
        (folder / f"{name}.png").write_bytes(b"no image")
    with (folder / "sparse.png").open("wb") as file:
        file.write(forms()["png"][:100])
        file.truncate(1 << 42)
    (folder / "device.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()


def refused(folder: Path) -> set[str]:
    """The files that are no pictures, as a terminal shows their names; all others have pixels."""
    names = set()
    for path in folder.iterdir():
        if path.is_file() and path.name not in LARGE:
            try:
                pixels = decode_image(path, max_pixels=LIMIT)
            except ImageError as error:
                named = str(path) in str(error)
                names.add(printable(path.name.replace("\n", "\\n").replace("\t", "\\t")))
            else:
                named = pixels.size > 0
            assert named, path
    return names


VALIDATE = """
import sys
from pathlib import Path
from mintad.cli import main
place = Path(sys.argv.pop(1))
try:
    main()
finally:
    place.write_text(Path("/proc/self/status").read_text())
"""
"""What a process held at the most is asked of itself: what the system tells its parent begins with
what the parent held."""


@pytest.mark.skipif(sys.platform != "linux", reason="pipes and devices of POSIX, memory of Linux")
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_the_corpus(tmp_path):
    folder = tmp_path / "line/odd"
    write_corpus(folder)
    dataset = read(tmp_path / "line")
    assert len(dataset) > 300
    assert {left.path.name for left in dataset.left_out} == {
        "device.png",
        "folder.png",
        "pipe.png",
    }
    words = ["validate", str(tmp_path / "line"), "--max-pixels", str(LIMIT)]
    done = subprocess.run(
        [sys.executable, "-c", VALIDATE, str(tmp_path / "status"), *words],
        capture_output=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    told = done.stdout.decode()
    assert done.returncode == 1, done.stderr[-2000:]
    assert b"Traceback" not in done.stderr
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert told.splitlines()[-1].startswith(f"{len(dataset)} images of 1 product: ")
    errors = {line for line in told.splitlines() if line.startswith("  error: ")}
    names = refused(folder)
    assert len(names) > 150
    for name in names:
        assert any(f"/{name}" in line for line in errors), name
    for number in range(GOOD):
        assert not any(f"/good_{number}.png" in line for line in errors)
    status = (tmp_path / "status").read_text(encoding="utf-8")
    assert int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024 < MOST_MEMORY


def test_what_is_no_regular_file_is_never_opened_for_long(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    for name, kind in (("pipe", "a pipe"), ("device", "a device"), ("folder", "a folder")):
        with pytest.raises(MissingImageError, match=f"{name}.png cannot be read: it is {kind}"):
            decode_image(tmp_path / f"{name}.png")


def test_a_file_that_grows_is_read_as_it_was(tmp_path):
    place = tmp_path / "a.png"
    place.write_bytes(encoded("PNG"))
    stop = threading.Event()

    def grow() -> None:
        with place.open("ab") as file:
            while not stop.is_set() and file.tell() < 1 << 26:
                file.write(bytes(1 << 16))
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        pixels = decode_image(place)
    finally:
        stop.set()
        thread.join()
    assert np.array_equal(pixels, PIXELS)


@pytest.mark.parametrize("name", ["\0.png", "x" * 300 + ".png", "a.png/b.png"])
def test_names_that_no_file_can_have(tmp_path, name):
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    with pytest.raises(MissingImageError):
        decode_image(tmp_path / name)


def test_long_sides_are_refused_whatever_the_limit():
    for width, height in ((LONGEST_SIDE + 1, 1), (1, LONGEST_SIDE + 1)):
        content = MemoryImage("a", png_of(width, height, rows=zeros(2 * width * height)))
        with pytest.raises(OversizedImageError, match=f"a side may have {LONGEST_SIDE}"):
            decode_image(content, max_pixels=10**9)
    content = MemoryImage("a", png_of(LONGEST_SIDE, 1, rows=zeros(LONGEST_SIDE + 1)))
    prepared, size = load_prepared(content, Preprocessing(height=8, width=8, resize="pad"))
    assert prepared.shape == (8, 8, 3)
    assert size == (1, LONGEST_SIDE)


def test_large_images_are_decoded_one_after_another():
    together, most = 0, 0
    lock = threading.Lock()

    def hold(pixels: int) -> None:
        nonlocal together, most
        with pixels_in_hand(pixels), pixels_in_hand(pixels):  # a thread never waits for itself
            with lock:
                together += 1
                most = max(most, together)
            threading.Event().wait(0.1)
            with lock:
                together -= 1

    for pixels, expected in ((1 << 27, 1), (1 << 20, 4)):
        most = 0
        threads = [threading.Thread(target=hold, args=(pixels,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert most == expected
