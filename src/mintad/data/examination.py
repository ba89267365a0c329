"""What validation keeps of a sample after one look at its files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mintad.data.decoding import decode_mask, picture_in_hand, pixel_digest
from mintad.data.sample import Sample
from mintad.errors import ImageError

_GREY_TOLERANCE = 2
_GREY_SIDE = 256


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Height and width in pixels, the digest of the pixels, and whether all of them are grey.

    `brightest`, `hidden` and `pages` are what decoding noticed: see `Picture`.
    """

    size: tuple[int, int]
    digest: str
    is_grey: bool
    brightest: int | None = None
    hidden: bool = False
    pages: int = 1


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """Height and width in pixels, and which part of the pixels, and of the border, is marked."""

    size: tuple[int, int]
    share: float
    border_share: float


@dataclass(frozen=True, slots=True)
class Examined:
    """A sample with the facts of its files, or why there are none; `mask` is None without one."""

    sample: Sample
    image: ImageFacts | ImageError
    mask: MaskFacts | ImageError | None


def examine(sample: Sample, max_pixels: int, bit_depth: int | None = None) -> Examined:
    """Decode the image and the mask of a sample, and keep their facts."""
    image = _examine_image(sample, max_pixels, bit_depth)
    return Examined(sample, image, _examine_mask(sample, max_pixels))


def _examine_image(
    sample: Sample, max_pixels: int, bit_depth: int | None
) -> ImageFacts | ImageError:
    try:
        with picture_in_hand(sample.image, max_pixels=max_pixels, bit_depth=bit_depth) as picture:
            return ImageFacts(
                picture.pixels.shape[:2],
                pixel_digest(picture.pixels),
                _is_grey(picture.pixels),
                picture.brightest,
                picture.hidden,
                picture.pages,
            )
    except ImageError as error:
        return error


def _examine_mask(sample: Sample, max_pixels: int) -> MaskFacts | ImageError | None:
    if sample.mask is None:
        return None
    try:
        mask = decode_mask(sample.mask, max_pixels=max_pixels)
    except ImageError as error:
        return error
    height, width = mask.shape
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return MaskFacts((height, width), float(mask.mean()), float(border.mean()))


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether the channels agree, within a tolerance, on a grid of pixels, not on all."""
    step = max(1, min(pixels.shape[:2]) // _GREY_SIDE)
    grid = pixels[::step, ::step].astype(np.int16)
    red, green, blue = grid[..., 0], grid[..., 1], grid[..., 2]
    distance = max(np.abs(red - green).max(), np.abs(green - blue).max())
    return bool(distance <= _GREY_TOLERANCE)
