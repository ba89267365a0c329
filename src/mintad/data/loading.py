"""Batches of prepared images, decoded ahead by threads, and the fingerprint of a set of images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mintad.data.decoding import decode_image, image_digest, picture_in_hand
from mintad.data.preprocessing import Preprocessing, prepare_image
from mintad.data.sample import Batch, ImageSource, Sample
from mintad.system.threads import core_count, map_ahead


def load_batches(
    samples: Iterable[Sample],
    preprocessing: Preprocessing,
    products: Sequence[str],
    *,
    batch_size: int,
    workers: int = 2,
) -> Iterator[Batch]:
    """Batches of the samples in their order; the last one may be smaller.

    `workers` threads decode up to two batches ahead (0: none, in the caller's thread). A product
    that is not in `products` gets the number -1. Raises `ImageError`, naming the file, when an
    image's turn comes that cannot be decoded.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    numbers = {product: number for number, product in enumerate(products)}

    def load(sample: Sample) -> tuple[Sample, NDArray[np.uint8]]:
        return sample, load_prepared(sample.image, preprocessing)[0]

    loaded = map_ahead(load, samples, workers=workers, ahead=2 * batch_size + workers)
    while chunk := list(islice(loaded, batch_size)):
        yield Batch(
            samples=tuple(sample for sample, _ in chunk),
            images=np.stack([image for _, image in chunk]),  # (B, h, w, 3)
            products=np.array([numbers.get(sample.product, -1) for sample, _ in chunk], np.int64),
        )


def load_image(source: ImageSource, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The image `uint8 (H, W, 3)`, decoded within the limits that its preprocessing states."""
    return decode_image(
        source, max_pixels=preprocessing.max_pixels, bit_depth=preprocessing.bit_depth
    )


def load_prepared(
    source: ImageSource, preprocessing: Preprocessing
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The prepared image `uint8 (h, w, 3)`, and the height and width that it had before."""
    with picture_in_hand(
        source, max_pixels=preprocessing.max_pixels, bit_depth=preprocessing.bit_depth
    ) as picture:
        height, width, _ = picture.pixels.shape
        return prepare_image(picture.pixels, preprocessing), (height, width)


def image_digests(samples: Iterable[Sample], *, workers: int | None = None) -> list[str]:
    """`image_digest` of every sample, in their order; `workers` threads, one per core if None."""
    workers = core_count() if workers is None else workers
    images = (sample.image for sample in samples)
    return list(map_ahead(image_digest, images, workers=workers, ahead=64 * max(1, workers)))


def dataset_fingerprint(samples: Iterable[Sample], *, workers: int | None = None) -> str:
    """SHA-256, in hex, over product, split, label and content of every image.

    Neither the order of the samples nor the place and name of their files enter it. Raises
    `ImageError` if a file cannot be read.
    """
    samples = tuple(samples)
    lines = sorted(
        repr((sample.product, sample.split, sample.label, digest))
        for sample, digest in zip(samples, image_digests(samples, workers=workers), strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
