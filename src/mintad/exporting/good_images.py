"""The good images on which graphs are checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import Manifest
from mintad.data import Dataset, Sample, load_batches
from mintad.errors import DataError

MOST_IMAGES = 32
MOST_FOR_INT8 = 100
"""More: whether a layer goes back to float32 hangs on a small change of AUROC."""

FEWEST_PER_PRODUCT = 4


@dataclass(frozen=True)
class CalibrationImages:
    """Good images, prepared `uint8 (N, h, w, 3)`, with the numbers `int64 (N,)` of their products.

    Best are such as the model was not fitted to.
    """

    images: NDArray[np.uint8]
    products: NDArray[np.int64]

    def given(self, needs_product: bool) -> NDArray[np.int64]:
        """What an engine is told of the products: nothing where the method recognises them."""
        return self.products if needs_product else np.full_like(self.products, -1)


def calibration_images(
    manifest: Manifest, dataset: Dataset, most: int = MOST_IMAGES
) -> CalibrationImages:
    """Good training images of the bundle's products, evenly chosen: about `most` in all.

    Raises `DataError` where there are none.
    """
    good = dataset.good
    chosen: list[Sample] = []
    each = max(FEWEST_PER_PRODUCT, most // max(1, len(manifest.products)))
    for product in manifest.product_names:
        own = [sample for sample in good if sample.product == product]
        rows = np.linspace(0, len(own) - 1, min(each, len(own))).round().astype(int)
        chosen += [own[row] for row in rows]
    if not chosen:
        raise DataError(
            "The data holds no good training image of any product that the bundle knows.",
            "Name the data that the bundle was trained on.",
        )
    batches = list(
        load_batches(chosen, manifest.preprocessing, manifest.product_names, batch_size=16)
    )
    return CalibrationImages(
        np.concatenate([batch.images for batch in batches]),
        np.concatenate([batch.products for batch in batches]),
    )
