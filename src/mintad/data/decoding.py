"""From a file, or bytes in memory, to pixels: safe, complete, and the same everywhere.

PNG, JPEG, BMP, TIFF, WebP and PNM are read, told by their first bytes; nothing else is tried.
Every image becomes `uint8 (H, W, 3)` RGB by fixed rules:

- the EXIF orientation is applied; colour profiles, gamma and all other metadata are not used, and
  damaged metadata cost no picture;
- transparent pixels are laid over black, but an alpha that is 0 everywhere is ignored;
- grey is repeated over the three channels; palette, CMYK, YCbCr and 1-bit images are converted;
- where 0 is white (TIFF, PBM) the values are turned round;
- grey of more than 8 bits is scaled over its full range, `round(value * 255 / full scale)`, never
  stretched to an image's own extremes; of colour the upper eight bits are kept. The full scale
  is what the file declares (65535 for 16 bits, 4095 for 12); `bit_depth` says it of images that
  hold fewer bits in 16;
- float has the full scale 1; a value outside of 0 to 1 refuses the image;
- of several pages or frames the first is read.

Signed and 32-bit integers have no fixed full scale and are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mintad.data.budget import pixels_in_hand
from mintad.data.formats.bmp import open_bmp
from mintad.data.formats.pillow import open_jpeg, open_png, open_webp
from mintad.data.formats.pnm import open_pnm
from mintad.data.formats.raster import (
    EmptyImageError,
    Opened,
    OversizedImageError,
    Picture,
    Raster,
    TruncatedImageError,
    binarise,
    to_mask,
    to_picture,
    turned,
)
from mintad.data.formats.tiff import open_tiff
from mintad.data.listing import IMAGE_SUFFIXES, is_folder, list_images
from mintad.data.sample import ImageSource, MemoryImage
from mintad.data.sources import (
    SHRINK,
    MissingImageError,
    check_known,
    image_format,
    read_bytes,
    source_name,
)
from mintad.errors import ImageError

__all__ = [
    "IMAGE_SUFFIXES",
    "LONGEST_SIDE",
    "MAX_PIXELS",
    "EmptyImageError",
    "MissingImageError",
    "OversizedImageError",
    "TruncatedImageError",
    "decode_image",
    "decode_image_bytes",
    "decode_mask",
    "decode_mask_bytes",
    "image_digest",
    "picture_in_hand",
    "pixel_digest",
    "source_name",
]

MAX_PIXELS = 200_000_000
"""The largest image that is decoded unless the caller says otherwise, in pixels."""

LONGEST_SIDE = 65_500
"""The longest side of an image that is decoded, in pixels: as much as JPEG can have."""

_BYTES_PER_PIXEL = 4
_READERS: dict[str, Callable[[bytes, str], Opened]] = {
    "png": open_png,
    "jpeg": open_jpeg,
    "bmp": open_bmp,
    "tiff": open_tiff,
    "webp": open_webp,
    "pnm": open_pnm,
}


def decode_image(
    source: ImageSource, *, max_pixels: int = MAX_PIXELS, bit_depth: int | None = None
) -> NDArray[np.uint8]:
    """The image as `uint8 (H, W, 3)` RGB.

    `max_pixels` is compared with the size in the header before any pixel is decoded. `bit_depth`,
    9 to 15, says how many bits are used of images that hold 16. Raises `ImageError` (or one of
    its kinds) naming the file.
    """
    with picture_in_hand(source, max_pixels=max_pixels, bit_depth=bit_depth) as picture:
        return picture.pixels


def decode_mask(source: ImageSource, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.bool_]:
    """The mask as `bool (H, W)`, True where the defect is.

    A pixel is True above half of full scale in any channel. Two kinds of file are read otherwise:
    in a mask without any value above 16 the values are taken as numbers of defect classes (0 and
    1, or VisA's), and every one but 0 is True; in a palette mask every colour but black is True.
    A folder stands for all masks in it, united. Raises `ImageError` as `decode_image` does.
    """
    if isinstance(source, MemoryImage) and isinstance(source.content, np.ndarray):
        return binarise(_pixels_in_memory(source.name, source.content, max_pixels).max(axis=2), 255)
    if isinstance(source, Path) and is_folder(source):
        return _united(source, max_pixels)
    return decode_mask_bytes(
        read_bytes(source, max_pixels), source_name(source), max_pixels=max_pixels
    )


def _united(folder: Path, max_pixels: int) -> NDArray[np.bool_]:
    masks = [decode_mask(file, max_pixels=max_pixels) for file in list_images(folder)]
    if not masks:
        raise EmptyImageError(
            f"The folder {folder} holds no mask.", "Put the masks of its image there."
        )
    if len({mask.shape for mask in masks}) > 1:
        raise ImageError(
            f"The masks in {folder} differ in their sizes.", "Make all of them from one image."
        )
    return np.logical_or.reduce(masks)


def decode_mask_bytes(
    content: bytes, name: str, *, max_pixels: int = MAX_PIXELS
) -> NDArray[np.bool_]:
    """The mask encoded in `content` as `bool (H, W)`, by the rules of `decode_mask`."""
    with (
        _opened(content, name, max_pixels) as opened,
        pixels_in_hand(_weight(opened)),
    ):
        return turned(to_mask(opened.decode(), name), opened.orientation)


def decode_image_bytes(
    content: bytes, name: str, *, max_pixels: int = MAX_PIXELS, bit_depth: int | None = None
) -> NDArray[np.uint8]:
    """The image encoded in `content` as `uint8 (H, W, 3)` RGB; `name` is used in errors."""
    source = MemoryImage(name, content)
    return decode_image(source, max_pixels=max_pixels, bit_depth=bit_depth)


@contextmanager
def picture_in_hand(
    source: ImageSource, *, max_pixels: int = MAX_PIXELS, bit_depth: int | None = None
) -> Iterator[Picture]:
    """The image, and what was noticed of it, as in `decode_image`.

    Other threads start on large images only when the block is left: so many pixels at a time
    are decoded as one large image has, however many threads there are.
    """
    if isinstance(source, MemoryImage) and isinstance(source.content, np.ndarray):
        yield Picture(_pixels_in_memory(source.name, source.content, max_pixels))
        return
    with ExitStack() as held:
        yield _picture(
            read_bytes(source, max_pixels), source_name(source), max_pixels, bit_depth, held
        )


def _picture(
    content: bytes, name: str, max_pixels: int, bit_depth: int | None, held: ExitStack
) -> Picture:
    with _opened(content, name, max_pixels) as opened:
        held.enter_context(pixels_in_hand(_weight(opened)))
        picture = to_picture(opened.decode(), name, bit_depth)
        pixels = turned(picture.pixels, opened.orientation)
        return replace(picture, pixels=pixels, pages=opened.pages)


def _weight(opened: Opened) -> int:
    """The pixels of an image; those of more than four bytes count more."""
    return int(opened.size[0] * opened.size[1] * max(1.0, opened.bytes_per_pixel / 4))


@contextmanager
def _opened(content: bytes, name: str, max_pixels: int) -> Iterator[Opened]:
    """The opened image, its header read and its size checked, its pixels not yet decoded."""
    check_known(content[:64], name)
    try:
        opened = _READERS[str(image_format(content[:64]))](content, name)
        _check_size(opened, name, max_pixels)
        yield opened
    except ImageError:
        raise
    except Exception as error:  # Pillow raises whatever the damaged bytes lead it into
        raise _undecodable(content, name, error) from error


def image_digest(source: ImageSource) -> str:
    """SHA-256, in hex, of the encoded bytes; of shape and pixels where there are no such bytes.

    Raises `ImageError` if the file cannot be read.
    """
    if isinstance(source, MemoryImage) and isinstance(source.content, np.ndarray):
        return pixel_digest(source.content)
    return hashlib.sha256(read_bytes(source)).hexdigest()


def pixel_digest(pixels: NDArray[np.uint8]) -> str:
    """SHA-256, in hex, of the shape and the pixels."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _check_size(opened: Opened, name: str, max_pixels: int) -> None:
    height, width = opened.size
    if max(height, width) > LONGEST_SIDE:
        raise OversizedImageError(
            f"The image {name} has {width} x {height} pixels; a side may have {LONGEST_SIDE}.",
            "Cut it into pieces, or save it smaller.",
        )
    if height * width > max_pixels:
        raise OversizedImageError(
            f"The image {name} has {width} x {height} pixels, more than the limit of {max_pixels}.",
            SHRINK,
        )
    if height * width * opened.bytes_per_pixel > _BYTES_PER_PIXEL * max_pixels:
        raise OversizedImageError(
            f"The image {name} has {width} x {height} pixels of {opened.bytes_per_pixel:.0f} bytes "
            f"each, more than the limit of {max_pixels} pixels allows.",
            SHRINK,
        )


def _pixels_in_memory(name: str, pixels: NDArray[np.uint8], max_pixels: int) -> NDArray[np.uint8]:
    grey = pixels.ndim == 2
    if pixels.dtype != np.uint8 or not (grey or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise ImageError(
            f"The image {name} is {pixels.dtype} {pixels.shape}, not uint8 (H, W, 3) or (H, W).",
            "Convert it to 8-bit RGB or grey with the channels last.",
        )
    if pixels.size == 0:
        raise EmptyImageError(
            f"The image {name} has no pixels: its shape is {pixels.shape}.",
            "Take it out of the data.",
        )
    _check_size(Opened(pixels.shape[:2], lambda: Raster(pixels)), name, max_pixels)
    return np.ascontiguousarray(np.repeat(pixels[:, :, None], 3, axis=2) if grey else pixels)


def _undecodable(content: bytes, name: str, error: Exception) -> ImageError:
    if isinstance(error, EOFError) or _is_cut_short(content, error):
        return TruncatedImageError(
            f"The image {name} is truncated: it ends after {len(content)} bytes.",
            "Copy the file again or take it out of the data.",
        )
    return ImageError(
        f"The image {name} cannot be decoded: {str(error).rstrip('.') or type(error).__name__}.",
        "Save it again with the program that made it, or take it out of the data.",
    )


def _is_cut_short(content: bytes, error: Exception) -> bool:
    if "truncated" in str(error).lower():
        return True
    if content.startswith(b"RIFF"):
        return int.from_bytes(content[4:8], "little") + 8 > len(content)
    if content.startswith(b"\x89PNG"):
        return b"IEND" not in content[-64:]
    return content.startswith(b"\xff\xd8") and b"\xff\xd9" not in content[-64:]
