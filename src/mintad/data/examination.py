"""What validation keeps of a sample after one look at its files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mintad.data.decoding import decode_image, decode_mask, pixel_digest
from mintad.data.sample import Sample
from mintad.errors import ImageError

_GREY_TOLERANCE = 2
_GREY_SIDE = 256


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Height and width in pixels, the digest of the pixels, and whether all of them are grey."""

    size: tuple[int, int]
    digest: str
    is_grey: bool


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """Height and width in pixels, and whether no pixel is marked."""

    size: tuple[int, int]
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Examined:
    """A sample with the facts of its files, or why there are none; `mask` is None without one."""

    sample: Sample
    image: ImageFacts | ImageError
    mask: MaskFacts | ImageError | None


def examine(sample: Sample, max_pixels: int) -> Examined:
    """Decode the image and the mask of a sample, and keep their facts."""
    return Examined(sample, _examine_image(sample, max_pixels), _examine_mask(sample, max_pixels))


def _examine_image(sample: Sample, max_pixels: int) -> ImageFacts | ImageError:
    try:
        pixels = decode_image(sample.image, max_pixels=max_pixels)
    except ImageError as error:
        return error
    height, width, _ = pixels.shape
    return ImageFacts((height, width), pixel_digest(pixels), _is_grey(pixels))


def _examine_mask(sample: Sample, max_pixels: int) -> MaskFacts | ImageError | None:
    if sample.mask is None:
        return None
    try:
        mask = decode_mask(sample.mask, max_pixels=max_pixels)
    except ImageError as error:
        return error
    height, width = mask.shape
    return MaskFacts((height, width), not mask.any())


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether the channels agree, within a tolerance, on a grid of pixels, not on all."""
    step = max(1, min(pixels.shape[:2]) // _GREY_SIDE)
    grid = pixels[::step, ::step].astype(np.int16)
    red, green, blue = grid[..., 0], grid[..., 1], grid[..., 2]
    distance = max(np.abs(red - green).max(), np.abs(green - blue).max())
    return bool(distance <= _GREY_TOLERANCE)
