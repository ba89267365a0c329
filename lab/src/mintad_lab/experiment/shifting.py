"""Test images as another day would take them: brighter, darker, blurred, turned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mintad.data import Dataset, Sample, decode_image, decode_mask
from mintad.system import replacing

Pixels = NDArray[np.uint8]

BRIGHTER, DARKER = 1.2, 0.8
BLUR = 1 / 170
"""Sigma of the blur as a share of the longer side: 1.5 pixels of 256."""
DEGREES = 5.0
SESSION = "another session"


def shifted(dataset: Dataset, kind: str, folder: Path) -> Dataset:
    """The data set with its test images changed as `kind` says, written below `folder`.

    "brighter" and "darker" scale the values by 1.2 and 0.8, "blurred" is a Gaussian of 1.5 pixels
    at 256, "turned" turns by 5 degrees, the edges mirrored, image and mask alike. "another
    session" is a camera set up anew: a warmer light, 10% darker, out of focus by half as much,
    turned by 2 degrees, with noise.
    """
    change = SHIFTS[kind]
    samples = []
    for number, sample in enumerate(dataset):
        if sample.split == "test":
            samples.append(_written(sample, number, change, folder))
        else:
            samples.append(sample)
    return Dataset(tuple(samples))


def _written(sample: Sample, number: int, change: Change, folder: Path) -> Sample:
    image = folder / f"{number:06}.png"
    mask = None if sample.mask is None else folder / f"{number:06}_mask.png"
    if not image.is_file() or (mask is not None and not mask.is_file()):
        pixels = decode_image(sample.image)
        if mask is not None and sample.mask is not None:
            marked = decode_mask(sample.mask).astype(np.uint8) * 255
            _save(change(marked[..., None].repeat(3, 2), True, number)[..., 0], mask)
        _save(change(pixels, False, number), image)
    return replace(sample, image=image, mask=mask)


def _save(pixels: Pixels, place: Path) -> None:
    with replacing(place) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


Change = Callable[[Pixels, bool, int], Pixels]
"""Changes `uint8 (H, W, 3)`, an image or (True) a mask, the one of this number."""


def _scaled(factor: float) -> Change:
    def change(pixels: Pixels, is_mask: bool, number: int) -> Pixels:
        return pixels if is_mask else _clipped(pixels.astype(np.float32) * np.float32(factor))

    return change


def _blurred(pixels: Pixels, is_mask: bool, number: int) -> Pixels:
    return pixels if is_mask else _blur(pixels, BLUR)


def _turned(pixels: Pixels, is_mask: bool, number: int) -> Pixels:
    return _turn(pixels, DEGREES, is_mask)


def _another_session(pixels: Pixels, is_mask: bool, number: int) -> Pixels:
    turned = _turn(pixels, 2.0, is_mask)
    if is_mask:
        return turned
    light = _blur(turned, BLUR / 2) * np.array([0.95, 0.9, 0.82], np.float32)
    noise = np.random.default_rng(number).normal(0, 3, light.shape)
    return _clipped(light + noise.astype(np.float32))


def _blur(pixels: Pixels, share: float) -> Pixels:
    radius = share * max(pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def _turn(pixels: Pixels, degrees: float, is_mask: bool) -> Pixels:
    height, width = pixels.shape[:2]
    top, left = height // 4, width // 4
    padded = np.pad(pixels, ((top, top), (left, left), (0, 0)), mode="symmetric")
    filter_ = Image.Resampling.NEAREST if is_mask else Image.Resampling.BILINEAR
    turned = np.asarray(Image.fromarray(padded).rotate(degrees, filter_))
    return turned[top : top + height, left : left + width]


def _clipped(values: NDArray[Any]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


SHIFTS: dict[str, Change] = {
    "brighter": _scaled(BRIGHTER),
    "darker": _scaled(DARKER),
    "blurred": _blurred,
    "turned": _turned,
    SESSION: _another_session,
}
"""The shifts by name."""
