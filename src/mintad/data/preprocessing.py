"""From decoded pixels to what a backbone takes: the same code, to the bit, in training and after.

Everything works on `uint8` until `normalise`. Geometry is in whole numbers, so that image,
content box and mask can never disagree by a rounding.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, field_validator

from mintad.data.decoding import MAX_PIXELS
from mintad.data.regions import shrunk_mask

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


class Preprocessing(BaseModel):
    """How an image becomes a backbone's input; part of every recipe and bundle.

    `height` and `width` are in pixels. `resize` "stretch" fills the input whatever the image's
    aspect; "pad" keeps the aspect and centres the image on the mean colour. `mean` and `std` are
    per channel (RGB) in units of 0 to 255; the default is ImageNet's. `max_pixels` and `bit_depth`
    are those of `decode_image`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(default=224, ge=1, le=16384)
    width: int = Field(default=224, ge=1, le=16384)
    resize: Literal["stretch", "pad"] = "stretch"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    bit_depth: int | None = Field(default=None, ge=9, le=15)

    @field_validator("mean")
    @classmethod
    def _in_byte_range(cls, mean: tuple[float, float, float]) -> tuple[float, float, float]:
        if not all(0 <= value <= 255 for value in mean):
            raise ValueError("each channel's mean must lie in 0 to 255")
        return mean

    @field_validator("std")
    @classmethod
    def _positive(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if not all(0 < value < float("inf") for value in std):
            raise ValueError("each channel's std must be positive (units of 0 to 255)")
        return std


def content_box(size: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int, int, int]:
    """Where an image of `size` (height, width) lies in the input: top, left, height, width."""
    height, width = preprocessing.height, preprocessing.width
    if preprocessing.resize == "stretch":
        return 0, 0, height, width
    image_height, image_width = size
    if image_height * width >= image_width * height:  # the height is what limits
        inner_height = height
        inner_width = max(1, _rounded_quotient(image_width * height, image_height))
    else:
        inner_height = max(1, _rounded_quotient(image_height * width, image_width))
        inner_width = width
    return (height - inner_height) // 2, (width - inner_width) // 2, inner_height, inner_width


def prepare_image(image: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The image `uint8 (H, W, 3)` resized, antialiased, to the input: `uint8 (h, w, 3)`."""
    top, left, height, width = content_box(image.shape[:2], preprocessing)
    resized = image
    if image.shape[:2] != (height, width):
        resampling = _FILTERS[preprocessing.interpolation]
        resized = np.asarray(Image.fromarray(image).resize((width, height), resampling))
    if (height, width) == (preprocessing.height, preprocessing.width):
        return np.array(resized)
    colour = np.rint(preprocessing.mean).astype(np.uint8)
    prepared = np.empty((preprocessing.height, preprocessing.width, 3), np.uint8)
    prepared[:] = colour
    prepared[top : top + height, left : left + width] = resized
    return prepared


def prepare_mask(mask: NDArray[np.bool_], preprocessing: Preprocessing) -> NDArray[np.bool_]:
    """The mask `bool (H, W)` in the input's geometry, as `shrunk_mask` does it: `bool (h, w)`.

    Padding is False.
    """
    top, left, height, width = content_box(mask.shape, preprocessing)
    prepared = np.zeros((preprocessing.height, preprocessing.width), np.bool_)
    prepared[top : top + height, left : left + width] = shrunk_mask(mask, (height, width))
    return prepared


def normalise(images: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """(x - mean) / std of prepared `uint8 (B, h, w, 3)`: contiguous `float32 (B, 3, h, w)`."""
    batch, height, width, _ = images.shape
    normalised = np.empty((batch, 3, height, width), np.float32)
    for channel in range(3):
        plane = normalised[:, channel]
        np.subtract(images[..., channel], np.float32(preprocessing.mean[channel]), out=plane)
        plane /= np.float32(preprocessing.std[channel])
    return normalised


def _rounded_quotient(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
