"""An image as its file holds it, and the rules that make `uint8` RGB or a mask of it.

A format's reader gives an `Opened`, of which only the header is read, and its `decode` a
`Raster`. The rules here are the same for every format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mintad.errors import ImageError

_MOST_MASK_CLASSES = 16
_ROWS = 1 << 22
"""About how many pixels are laid over black at a time."""


class EmptyImageError(ImageError):
    """The file has no bytes, or the image no pixels."""


class TruncatedImageError(ImageError):
    """The file ends before its image does."""


class OversizedImageError(ImageError):
    """The header announces more pixels than the limit."""


@dataclass(frozen=True, slots=True)
class Raster:
    """The samples of an image, as they are stored.

    `samples` is `(H, W, C)` with C = 1 (grey), 3 (RGB) or 4 (CMYK), of any number type;
    `full_scale` is the value of white, None where the type has none. `alpha` is `(H, W)` on the
    same scale, not multiplied into the samples. In an `inverted` image 0 is white. `indexed` says
    that the samples are the colours of a palette.
    """

    samples: NDArray[Any]
    full_scale: int | None = 255
    alpha: NDArray[Any] | None = None
    inverted: bool = False
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """An image of which the header is read: `size` is (height, width) before it is turned.

    `orientation` is EXIF's, 1 to 8; `pages` counts pages or frames, of which `decode` reads the
    first. `bytes_per_pixel` bounds what decoding needs.
    """

    size: tuple[int, int]
    decode: Callable[[], Raster]
    orientation: int = 1
    pages: int = 1
    bytes_per_pixel: float = 4.0


@dataclass(frozen=True, slots=True)
class Picture:
    """`uint8 (H, W, 3)` RGB pixels, and what was noticed on the way to them.

    `brightest` is the largest value that was stored, of an image that holds 16 bits a sample;
    None for others. `hidden` says that the image was transparent everywhere, so that its alpha
    was ignored; `pages` counts the pages or frames, of which the first was read.
    """

    pixels: NDArray[np.uint8]
    brightest: int | None = None
    hidden: bool = False
    pages: int = 1


def to_picture(raster: Raster, name: str, bit_depth: int | None = None) -> Picture:
    """The image as RGB. `bit_depth` says how many of 16 stored bits are used.

    Grey of more than 8 bits becomes `round(value * 255 / full scale)`; of colour the upper eight
    bits are kept. Float has the full scale 1. Raises `ImageError` for numbers without full scale.
    """
    samples, full = _scaled(raster, name)
    brightest = None
    if full == 65535:
        brightest = int(samples.max())
        full = full if bit_depth is None else (1 << bit_depth) - 1
    table = _table(full, samples.dtype, colour=samples.shape[2] > 1, inverted=raster.inverted)
    if table is not None:
        samples = table[samples]
    if samples.shape[2] == 4:
        cmyk = Image.frombuffer("CMYK", samples.shape[1::-1], np.ascontiguousarray(samples))
        samples = np.asarray(cmyk.convert("RGB"))
    pixels = samples
    if samples.shape[2] != 3 or not samples.flags.c_contiguous or not samples.flags.writeable:
        pixels = np.empty((*samples.shape[:2], 3), np.uint8)
        pixels[:] = samples
    hidden = raster.alpha is not None and not raster.alpha.any()
    if raster.alpha is not None and not hidden:
        alpha = raster.alpha
        scale = _table(full, alpha.dtype, colour=True, inverted=False)
        _lay_over_black(pixels, alpha if scale is None else scale[alpha])
    return Picture(pixels, brightest, hidden)


def to_mask(raster: Raster, name: str) -> NDArray[np.bool_]:
    """The mask `bool (H, W)`, by the rules of `decode_mask`."""
    if raster.indexed:
        return np.asarray(to_picture(raster, name).pixels.any(axis=2))
    kind = raster.samples.dtype.kind
    if raster.full_scale is None and kind in "iu" and _holds_classes(raster.samples):
        return np.asarray(raster.samples.max(axis=2) > 0)
    if raster.samples.dtype == np.uint8 or raster.samples.shape[2] > 1 or kind == "f":
        return binarise(to_picture(raster, name).pixels.max(axis=2), 255)
    samples, full = _scaled(raster, name)
    grey = samples[..., 0]
    return binarise(full - np.minimum(grey, full) if raster.inverted else grey, full)


def binarise(values: NDArray[Any], full_scale: int) -> NDArray[np.bool_]:
    """True above half of full scale, or above 0 where no value is more than 16."""
    threshold = 0 if _holds_classes(values) else full_scale // 2
    return np.asarray(values > threshold)


def turned(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The array `(H, W, …)` as EXIF's orientation shows it, contiguous."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _holds_classes(values: NDArray[Any]) -> bool:
    return int(values.max()) <= _MOST_MASK_CLASSES and int(values.min()) >= 0


def _scaled(raster: Raster, name: str) -> tuple[NDArray[Any], int]:
    """The samples as unsigned integers of at most 16 bits, and the value of white."""
    samples = raster.samples
    if samples.dtype.kind == "f":
        if not bool(((samples >= 0) & (samples <= 1)).all()):
            raise ImageError(
                f"The image {name} holds float values outside of 0 to 1, which have no fixed full "
                "scale.",
                "Save it with 8 or 16 unsigned bits per channel, or scale it to 0 to 1.",
            )
        return np.rint(samples * samples.dtype.type(255)).astype(np.uint8), 255
    if raster.full_scale is None or samples.dtype.kind != "u" or samples.dtype.itemsize > 2:
        raise ImageError(
            f"The image {name} holds signed or 32-bit integer values, which have no fixed full "
            "scale.",
            "Save it with 8 or 16 unsigned bits per channel.",
        )
    return samples, raster.full_scale


def _table(
    full: int, dtype: np.dtype[Any], *, colour: bool, inverted: bool
) -> NDArray[np.uint8] | None:
    """The byte that stands for each stored value; None where every value stands for itself."""
    if full == 255 and not inverted and dtype == np.uint8:
        return None
    values = np.minimum(np.arange(1 << (8 * dtype.itemsize), dtype=np.uint32), full)
    if inverted:
        values = full - values
    bits = (full + 1).bit_length() - 1
    if colour and full > 255 and full == (1 << bits) - 1:
        return (values >> (bits - 8)).astype(np.uint8)
    return ((values * 255 + full // 2) // full).astype(np.uint8)


def _lay_over_black(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
    """Multiplies the pixels `(H, W, 3)` by alpha `(H, W)` / 255, rounded, in place."""
    step = max(1, _ROWS // max(1, pixels.shape[1]))
    for top in range(0, len(pixels), step):
        rows = pixels[top : top + step].astype(np.uint16)
        rows *= alpha[top : top + step, :, None]
        pixels[top : top + step] = (rows + 127) // 255
