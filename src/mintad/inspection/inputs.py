"""What can be inspected: a file, pixels, encoded bytes, an open file, or a Pillow image."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mintad.data import ImageSource, MemoryImage
from mintad.errors import ImageError

ImageInput = (
    str | os.PathLike[str] | MemoryImage | NDArray[np.uint8] | bytes | BinaryIO | Image.Image
)

_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
_FLOAT_AND_WIDE = frozenset({"F", "I"})


def is_one_image(images: object) -> bool:
    """Whether this is an image itself, and not several of them.

    An array of up to three axes is one image, whatever its shape; `(B, H, W, 3)` are B images.
    """
    if hasattr(images, "__array__"):
        return np.ndim(images) < 4
    return isinstance(
        images, (str, os.PathLike, MemoryImage, Image.Image, bytes, bytearray, memoryview)
    ) or hasattr(images, "read")


def image_name(image: object) -> str:
    """What results and messages call this image: its file's name, or what kind of thing it is."""
    if isinstance(image, (str, os.PathLike)):
        return str(Path(image))
    if isinstance(image, Image.Image):
        return str(getattr(image, "filename", "")) or "image"
    if not isinstance(image, MemoryImage) and hasattr(image, "__array__"):
        return "array"
    return str(getattr(image, "name", None) or type(image).__name__)


def image_source(image: object) -> ImageSource:
    """The image as `decode_image` takes it: its pixels follow the same rules as those of files.

    `(H, W, 1)` is grey, `(H, W, 4)` has an alpha channel. Raises `ImageError` for anything that
    is no image.
    """
    name = image_name(image)
    if isinstance(image, (str, os.PathLike)):
        return Path(image)
    if isinstance(image, MemoryImage):
        if isinstance(image.content, np.ndarray):
            return _from_pixels(name, image.content)
        return image
    if isinstance(image, Image.Image):
        return MemoryImage(name, _encoded(image, name))
    if isinstance(image, (bytes, bytearray, memoryview)):
        return MemoryImage(name, bytes(image))
    if hasattr(image, "__array__"):
        return _from_pixels(name, np.asarray(image))
    if hasattr(image, "read"):
        return MemoryImage(name, _read(image, name))
    raise ImageError(
        f"{name} is no image.",
        "Give a path, uint8 pixels (H, W, 3), encoded bytes, an open file or a Pillow image.",
    )


def _from_pixels(name: str, pixels: NDArray[Any]) -> MemoryImage:
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    elif pixels.ndim == 3 and pixels.shape[2] == 4 and pixels.dtype == np.uint8 and pixels.size:
        return MemoryImage(name, _encoded(Image.fromarray(pixels, "RGBA"), name))
    return MemoryImage(name, pixels)


def _read(file: Any, name: str) -> bytes:
    if getattr(file, "seekable", bool)():
        file.seek(0)
    content = file.read()
    if not isinstance(content, bytes):
        raise ImageError(
            f"The open file {name} gives {type(content).__name__} in place of bytes.",
            'Open it with mode "rb".',
        )
    return content


def _encoded(image: Image.Image, name: str) -> bytes:
    """A PNG of the same pixels, turned as its EXIF says; Pillow's other modes become RGB."""
    if image.mode in _FLOAT_AND_WIDE:
        raise ImageError(
            f"The image {name} has Pillow's mode {image.mode}, which has no fixed full scale.",
            "Convert it to 8 bits, as mode L or RGB.",
        )
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray(np.asarray(image).astype(np.uint16))
    elif image.mode not in _PNG_MODES:
        image = image.convert("RGB")
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
