"""A bundle's graphs as training adds them, and the good images on which they are checked."""

from __future__ import annotations

import numpy as np

from mintad.bundle import Bundle, Manifest, Precision, extend_bundle
from mintad.data import Dataset, Sample, load_batches
from mintad.errors import BundleError, ConfigError, DataError
from mintad.exporting.graphs import CalibrationImages, export_bundle
from mintad.system.processor import has_bfloat16

MOST_IMAGES = 32
MOST_FOR_INT8 = 100
"""More: whether a layer goes back to float32 hangs on a small change of AUROC."""

FEWEST_PER_PRODUCT = 4


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


def export_trained(bundle: Bundle, good: Dataset) -> Bundle:
    """The bundle with its OpenVINO graph, and bfloat16 measured where the processor has it.

    A method that cannot be exported keeps torch alone, and the manifest says why.
    """
    precisions: list[Precision] = ["float32"]
    if has_bfloat16():
        precisions.append("bfloat16")
    try:
        images = calibration_images(bundle.manifest, good)
        return export_bundle(bundle, images, precisions=precisions)
    except (ConfigError, BundleError) as error:
        manifest = bundle.manifest.model_copy(update={"graph_problem": error.problem})
        return extend_bundle(bundle, manifest, [])
