"""The bytes of an image: from memory, or from a regular file, and never more than it may have."""

from __future__ import annotations

import os
import stat

import numpy as np

from mintad.data.formats.raster import EmptyImageError, OversizedImageError
from mintad.data.sample import ImageSource, MemoryImage
from mintad.errors import ImageError

SHRINK = (
    "Save it smaller; or raise the limit if you trust its source, with --set max_pixels=N to train "
    "and --max-pixels N to inspect, evaluate, report and validate."
)
"""What to do about an image above the limit of pixels."""

_BYTES_PER_PIXEL = 8  # RGB and alpha of 16 bits, uncompressed
_ROOM_FOR_THE_REST = 1 << 26
_HEAD = 64


class MissingImageError(ImageError):
    """The file is not there, or may not be read."""


def source_name(source: ImageSource) -> str:
    """What messages call this image."""
    return source.name if isinstance(source, MemoryImage) else str(source)


def read_bytes(source: ImageSource, max_pixels: int | None = None) -> bytes:
    """The encoded bytes of a file, as long as it was when it was opened, or of a memory image.

    With `max_pixels` a file that is no image is not read beyond its first bytes, and one that is
    longer than so many pixels can need is refused. Raises `ImageError`, `MissingImageError` for
    what is no regular file.
    """
    if isinstance(source, MemoryImage):
        if isinstance(source.content, np.ndarray):
            raise TypeError("an image given as pixels has no encoded bytes")
        return source.content
    try:
        with open(source, "rb", opener=_open_regular) as file:
            length = os.fstat(file.fileno()).st_size
            if max_pixels is None:
                return file.read(length)
            head = file.read(_HEAD)
            check_known(head, str(source))
            _check_length(length, str(source), max_pixels)
            return head + file.read(max(0, length - len(head)))
    except FileNotFoundError as error:
        raise MissingImageError(
            f"The image {source} does not exist.", "Restore the file or take it out of the data."
        ) from error
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise MissingImageError(
            f"The image {source} cannot be read: {getattr(error, 'strerror', None) or error}.",
            "Make it a file that this user may read.",
        ) from error


def check_known(head: bytes, name: str) -> None:
    """Raises `ImageError` where the first bytes are those of no format that is read."""
    if not head:
        raise EmptyImageError(
            f"The image {name} is empty.", "Copy the file again or take it out of the data."
        )
    if image_format(head) is None:
        raise ImageError(
            f"{name} is not a PNG, JPEG, BMP, TIFF, WebP or PNM image, whatever its name says.",
            "Save it as one of these or take it out of the data.",
        )


def image_format(head: bytes) -> str | None:
    """The format whose first bytes these are, None for any that is not read."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "tiff"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"BM") or _is_bare_bitmap(head):
        return "bmp"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in (b" ", b"\t", b"\r", b"\n"):
        return "pnm"
    return None


def _is_bare_bitmap(head: bytes) -> bool:
    """A BMP without its file header, as a `.dib` may be."""
    size = int.from_bytes(head[:4], "little")
    if size not in (40, 108, 124) or len(head) < 16:
        return False
    planes, bits = head[12:14], int.from_bytes(head[14:16], "little")
    return planes == b"\1\0" and bits in (1, 4, 8, 16, 24, 32)


def _check_length(length: int, name: str, max_pixels: int) -> None:
    most = _BYTES_PER_PIXEL * max_pixels + _ROOM_FOR_THE_REST
    if length > most:
        raise OversizedImageError(
            f"The image {name} has {length} bytes, more than an image at the limit of "
            f"{max_pixels} pixels needs.",
            SHRINK,
        )


def _open_regular(path: str, flags: int) -> int:
    """The descriptor of a regular file, opened without waiting for anyone to write into it.

    Raises `MissingImageError` for anything else.
    """
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    kind = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
    raise MissingImageError(
        f"The image {path} cannot be read: it is {kind}, not a file.",
        "Give a file, or take it out of the data.",
    )
