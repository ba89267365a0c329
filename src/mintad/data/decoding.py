"""From a file, or bytes in memory, to pixels: safe, complete, and the same everywhere.

PNG, JPEG, BMP, TIFF and WebP are read; nothing else is tried. Every image becomes
`uint8 (H, W, 3)` RGB by fixed rules:

- the EXIF orientation is applied, colour profiles are not;
- transparent pixels are laid over black;
- grey is repeated over the three channels; palette, CMYK and 1-bit images are converted;
- grey of 16 bit is scaled over its full range, `round(value * 255 / 65535)` (a TIFF that declares
  12 bit: `/ 4095`), never stretched to an image's own extremes; of 16-bit colour the upper byte
  is kept;
- of several pages or frames the first is read.

Float, signed and 32-bit images have no fixed full scale and are refused.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from mintad.data.sample import ImageSource, MemoryImage
from mintad.errors import ImageError

MAX_PIXELS = 200_000_000
"""The largest image that is decoded unless the caller says otherwise, in pixels."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
"""The endings, in lower case, by which image files are recognised in folders."""

_MOST_MASK_CLASSES = 16
_BITS_PER_SAMPLE = 258


class MissingImageError(ImageError):
    """The file is not there, or may not be read."""


class EmptyImageError(ImageError):
    """The file has no bytes."""


class TruncatedImageError(ImageError):
    """The file ends before its image does."""


class OversizedImageError(ImageError):
    """The header announces more pixels than the limit."""


def decode_image(source: ImageSource, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The image as `uint8 (H, W, 3)` RGB.

    `max_pixels` is compared with the size in the header before any pixel is decoded. Raises
    `ImageError` (or one of its kinds above) naming the file.
    """
    if isinstance(source, MemoryImage) and isinstance(source.content, np.ndarray):
        return _pixels_in_memory(source.name, source.content, max_pixels)
    return decode_image_bytes(read_bytes(source), source_name(source), max_pixels=max_pixels)


def decode_mask(source: ImageSource, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.bool_]:
    """The mask as `bool (H, W)`, True where the defect is.

    A pixel is True above half of full scale in any channel. Two kinds of file are read otherwise:
    in a mask without any value above 16 the values are taken as numbers of defect classes (0 and
    1, or VisA's), and every one but 0 is True; in a palette mask every colour but black is True.
    Raises `ImageError` as `decode_image` does.
    """
    if isinstance(source, MemoryImage) and isinstance(source.content, np.ndarray):
        return _binarise(_pixels_in_memory(source.name, source.content, max_pixels), 255)
    return decode_mask_bytes(read_bytes(source), source_name(source), max_pixels=max_pixels)


def decode_mask_bytes(
    content: bytes, name: str, *, max_pixels: int = MAX_PIXELS
) -> NDArray[np.bool_]:
    """The mask encoded in `content` as `bool (H, W)`, by the rules of `decode_mask`."""
    try:
        with _open(content, name, max_pixels) as image:
            ImageOps.exif_transpose(image, in_place=True)
            if image.mode.startswith("I;16"):
                return _binarise(np.asarray(image), _full_scale(image))
            if image.mode == "P":
                return np.asarray(_to_rgb(image, name).any(axis=2))
            return _binarise(_to_rgb(image, name), 255)
    except ImageError:
        raise
    except Exception as error:  # as in decode_image_bytes
        raise _undecodable(content, name, error) from error


def decode_image_bytes(
    content: bytes, name: str, *, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """The image encoded in `content` as `uint8 (H, W, 3)` RGB; `name` is used in errors."""
    try:
        with _open(content, name, max_pixels) as image:
            ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image, name)
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


def read_bytes(source: ImageSource) -> bytes:
    """The encoded bytes of a file or of an image in memory; `ImageError` if there are none."""
    if isinstance(source, MemoryImage):
        if isinstance(source.content, np.ndarray):
            raise TypeError("an image given as pixels has no encoded bytes")
        return source.content
    try:
        return source.read_bytes()
    except FileNotFoundError as error:
        raise MissingImageError(
            f"The image {source} does not exist.", "Restore the file or take it out of the data."
        ) from error
    except OSError as error:
        raise MissingImageError(
            f"The image {source} cannot be read: {error.strerror or error}.",
            "Make it a file that this user may read.",
        ) from error


def source_name(source: ImageSource) -> str:
    """What messages call this image."""
    return source.name if isinstance(source, MemoryImage) else str(source)


def _open(content: bytes, name: str, max_pixels: int) -> ImageFile.ImageFile:
    """The opened image, its header read and its size checked, its pixels not yet decoded.

    The format is told from the first bytes and its reader is called directly: `Image.open` would
    try every format Pillow knows, and has a pixel limit that can only be moved for the whole
    process.
    """
    if not content:
        raise EmptyImageError(
            f"The image {name} is empty.", "Copy the file again or take it out of the data."
        )
    stream = io.BytesIO(content)
    image: ImageFile.ImageFile
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            image = PngImagePlugin.PngImageFile(stream)
        elif content.startswith(b"\xff\xd8\xff"):
            image = JpegImagePlugin.JpegImageFile(stream)
        elif content.startswith(b"BM"):
            image = BmpImagePlugin.BmpImageFile(stream)
        elif content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
            image = TiffImagePlugin.TiffImageFile(stream)
        elif content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            image = WebPImagePlugin.WebPImageFile(stream)
        else:
            raise ImageError(
                f"{name} is not a PNG, JPEG, BMP, TIFF or WebP image, whatever its name says.",
                "Save it as one of these or take it out of the data.",
            )
    except Image.DecompressionBombError as error:
        raise OversizedImageError(f"The image {name} is too large: {error}", _SHRINK) from error
    _check_size(image.size, name, max_pixels)
    return image


_SHRINK = "Save it smaller, or raise max_pixels if the image is from a trusted source."


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise OversizedImageError(
            f"The image {name} has {width} x {height} pixels, more than the limit of {max_pixels}.",
            _SHRINK,
        )


def _to_rgb(image: Image.Image, name: str) -> NDArray[np.uint8]:
    mode = image.mode
    if mode in ("F", "I"):
        depth = "float" if mode == "F" else "signed or 32-bit integer"
        raise ImageError(
            f"The image {name} holds {depth} values, which have no fixed full scale.",
            "Save it with 8 or 16 unsigned bits per channel.",
        )
    if mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32)
        full = _full_scale(image)
        grey = ((np.minimum(values, full) * 255 + full // 2) // full).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def _full_scale(image: Image.Image) -> int:
    """The greatest value a 16-bit image can hold: 65535, or less if a TIFF declares fewer bits."""
    tags: Any = getattr(image, "tag_v2", {})
    bits = int(tags.get(_BITS_PER_SAMPLE, (16,))[0])
    return (1 << bits) - 1 if 8 < bits < 16 else 65535


def _binarise(values: NDArray[Any], full_scale: int) -> NDArray[np.bool_]:
    if values.ndim == 3:
        values = values.max(axis=2)
    holds_classes = int(values.max()) <= _MOST_MASK_CLASSES
    return np.asarray(values > (0 if holds_classes else full_scale // 2))


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
    _check_size((pixels.shape[1], pixels.shape[0]), name, max_pixels)
    return np.ascontiguousarray(np.repeat(pixels[:, :, None], 3, axis=2) if grey else pixels)


def _undecodable(content: bytes, name: str, error: Exception) -> ImageError:
    if _is_cut_short(content, error):
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
    if content.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in content[-64:]
    if content.startswith((b"II*\0", b"MM\0*")):  # the offset of the first directory
        order = "little" if content.startswith(b"II") else "big"
        return int.from_bytes(content[4:8], order) + 2 > len(content)  # type: ignore[arg-type]
    return False
