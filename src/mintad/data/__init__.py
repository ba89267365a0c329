"""Images and what is known of them: samples, layouts, decoding, preprocessing, validation."""

from mintad.data.decoding import MAX_PIXELS, decode_image, decode_mask, image_digest
from mintad.data.layouts.cifar10 import cifar10_split
from mintad.data.loading import (
    dataset_fingerprint,
    image_digests,
    load_batches,
    load_image,
    load_prepared,
)
from mintad.data.preprocessing import (
    Preprocessing,
    content_box,
    normalise,
    prepare_image,
    prepare_mask,
)
from mintad.data.reading import LAYOUTS, read
from mintad.data.sample import Batch, Dataset, ImageSource, LeftOut, MemoryImage, Sample, Split
from mintad.data.validation import Problem, validate

__all__ = [
    "LAYOUTS",
    "MAX_PIXELS",
    "Batch",
    "Dataset",
    "ImageSource",
    "LeftOut",
    "MemoryImage",
    "Preprocessing",
    "Problem",
    "Sample",
    "Split",
    "cifar10_split",
    "content_box",
    "dataset_fingerprint",
    "decode_image",
    "decode_mask",
    "image_digest",
    "image_digests",
    "load_batches",
    "load_image",
    "load_prepared",
    "normalise",
    "prepare_image",
    "prepare_mask",
    "read",
    "validate",
]
