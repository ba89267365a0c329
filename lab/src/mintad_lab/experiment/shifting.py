"""Test images as another day would take them: brighter, darker, blurred, turned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mintad.data import Dataset, Sample, decode_image, decode_mask
from mintad.system import replacing

Pixels = NDArray[np.uint8]

BLUR = 1 / 170
"""Sigma of the blur as a share of the longer side: 1.5 pixels of 256."""


class Shift(NamedTuple):
    """Turns image and mask by `degrees`, then gives the image another light.

    `light` takes `uint8 (H, W, 3)` and the image's number.
    """

    degrees: float = 0.0
    light: Callable[[Pixels, int], Pixels] = lambda pixels, number: pixels


def shifted(dataset: Dataset, kind: str, folder: Path) -> Dataset:
    """The data set with its test images changed as `SHIFTS` says, written below `folder`."""
    return Dataset(
        tuple(
            sample if sample.split == "train" else _written(sample, number, SHIFTS[kind], folder)
            for number, sample in enumerate(dataset)
        )
    )


def _written(sample: Sample, number: int, shift: Shift, folder: Path) -> Sample:
    image = folder / f"{number:06}.png"
    mask = None if sample.mask is None else folder / f"{number:06}_mask.png"
    if mask is not None and sample.mask is not None:
        marked = decode_mask(sample.mask).astype(np.uint8) * 255
        _save(_turn(marked, shift.degrees, Image.Resampling.NEAREST), mask)
    turned = _turn(decode_image(sample.image), shift.degrees, Image.Resampling.BILINEAR)
    _save(shift.light(turned, number), image)
    return replace(sample, image=image, mask=mask)


def _save(pixels: Pixels, place: Path) -> None:
    with replacing(place) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def _turn(pixels: Pixels, degrees: float, resampling: Image.Resampling) -> Pixels:
    """`uint8 (H, W)` or `(H, W, 3)`, turned about its centre, its edges mirrored."""
    if not degrees:
        return pixels
    height, width = pixels.shape[:2]
    top, left = height // 4, width // 4
    margins = ((top, top), (left, left), (0, 0))[: pixels.ndim]
    padded = np.pad(pixels, margins, mode="symmetric")
    turned = np.asarray(Image.fromarray(padded).rotate(degrees, resampling))
    return turned[top : top + height, left : left + width]


def _scaled(factor: float) -> Callable[[Pixels, int], Pixels]:
    return lambda pixels, number: _clipped(pixels.astype(np.float32) * np.float32(factor))


def _blurred(pixels: Pixels, share: float) -> Pixels:
    radius = share * max(pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def _another_light(pixels: Pixels, number: int) -> Pixels:
    """Warmer, 10% darker, out of focus by half as much as "blurred", with noise."""
    light = _blurred(pixels, BLUR / 2) * np.array([0.95, 0.9, 0.82], np.float32)
    noise = np.random.default_rng(number).normal(0, 3, light.shape)
    return _clipped(light + noise.astype(np.float32))


def _clipped(values: NDArray[Any]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


SHIFTS = {
    "brighter": Shift(light=_scaled(1.2)),
    "darker": Shift(light=_scaled(0.8)),
    "blurred": Shift(light=lambda pixels, number: _blurred(pixels, BLUR)),
    "turned": Shift(degrees=5.0),
    "another session": Shift(degrees=2.0, light=_another_light),
}
"""The shifts by name."""
