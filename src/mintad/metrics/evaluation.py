"""Runs a bundle over labelled images and measures it: the seven metrics, and every score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mintad.data import Dataset, Preprocessing, Sample, decode_mask, prepare_mask
from mintad.errors import DataError
from mintad.metrics.streaming import MetricTable, StreamingMetrics
from mintad.system.progress import Progress

if TYPE_CHECKING:
    from mintad.inspection import Inspection, Inspector


@dataclass(frozen=True)
class Evaluation:
    """The metrics, and for each image the inspection without its map."""

    metrics: MetricTable
    samples: tuple[Sample, ...]
    inspections: tuple[Inspection, ...]
    config: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """What `mintad evaluate --json` writes."""
        return {**self.metrics.to_json(), "config": self.config}


def evaluate(
    inspector: Inspector,
    dataset: Dataset,
    *,
    give_product: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Inspects the test images of `dataset` and measures the calibrated scores and maps.

    The product of an image is recognised by the model unless `give_product`. Maps and masks are
    compared at the size of the prepared image, masks by nearest neighbour; where an image was
    padded only the picture itself counts. Raises `DataError` without test images or for a
    product that the bundle does not know.
    """
    samples = labelled_test(dataset, inspector.products)
    evaluator = StreamingMetrics()
    kept = measure(evaluator, inspector, samples, give_product=give_product, progress=progress)
    config = _config(inspector, samples, kept, give_product)
    return Evaluation(evaluator.result(), tuple(samples), tuple(kept), config)


def labelled_test(dataset: Dataset, known: Sequence[str]) -> list[Sample]:
    """The labelled test images. Raises `DataError` for none, or a product that is not `known`."""
    samples = [sample for sample in dataset.test if sample.label is not None]
    _check(samples, known)
    return samples


def measure(
    evaluator: StreamingMetrics,
    inspector: Inspector,
    samples: Sequence[Sample],
    *,
    give_product: bool = False,
    progress: Progress | None = None,
) -> list[Inspection]:
    """Adds the inspections of `samples` to `evaluator`; the inspections without their maps."""
    kept: list[Inspection] = []
    for sample, inspection in inspect_samples(inspector, samples, give_product=give_product):
        if inspection.error is not None:
            raise DataError(
                inspection.error, "Mend or remove the image; `mintad validate` lists them all."
            )
        assert inspection.score is not None
        assert inspection.anomaly_map is not None
        assert sample.label is not None
        evaluator.update(
            sample.product,
            score=inspection.score,
            label=sample.label,
            anomaly_map=picture_of(inspection.anomaly_map, inspection.box),
            mask=_prepared_mask(sample, inspection, inspector.bundle.manifest.preprocessing),
        )
        kept.append(replace(inspection, anomaly_map=None))
        if progress is not None:
            progress("images", len(kept), len(samples))
    return kept


def inspect_samples(
    inspector: Inspector, samples: Sequence[Sample], *, give_product: bool = False
) -> Iterator[tuple[Sample, Inspection]]:
    """Each sample with its inspection, in order."""
    products = [sample.product if give_product else None for sample in samples]
    return zip(samples, inspector([sample.image for sample in samples], products), strict=True)


def sample_mask(sample: Sample, size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """The mask `bool (H, W)` of a sample of `size`: all False if good, None where it has none.

    Raises `DataError` for a mask of another size than its image.
    """
    if sample.label == 0:
        return np.zeros(size, np.bool_)
    if sample.mask is None:
        return None
    mask = decode_mask(sample.mask)
    if mask.shape != size:
        raise DataError(
            f"The mask {sample.mask} has {mask.shape[1]}x{mask.shape[0]} pixels, "
            f"its image {sample.name} has {size[1]}x{size[0]}.",
            "Draw the mask on the image as it is; `mintad validate` lists all such masks.",
        )
    return mask


def _prepared_mask(
    sample: Sample, inspection: Inspection, preprocessing: Preprocessing
) -> NDArray[np.bool_] | None:
    assert inspection.size is not None
    mask = sample_mask(sample, inspection.size)
    return None if mask is None else picture_of(prepare_mask(mask, preprocessing), inspection.box)


def picture_of(array: NDArray[Any], box: tuple[int, int, int, int] | None) -> NDArray[Any]:
    """The part `box` (top, left, height, width) of a map or mask; all of it without a box."""
    if box is None:
        return array
    top, left, height, width = box
    return array[top : top + height, left : left + width]


def _check(samples: Sequence[Sample], known: Sequence[str]) -> None:
    if not samples:
        raise DataError(
            "There are no labelled test images to evaluate on.",
            "Put them into test/good and test/<defect> of each product, or set split=test "
            "and a label in the manifest.",
        )
    strangers = sorted({sample.product for sample in samples} - set(known))
    if strangers:
        raise DataError(
            f"The bundle does not know the products {', '.join(strangers)}.",
            f"Leave them out, or train with them; it knows: {', '.join(known)}.",
        )


def _config(
    inspector: Inspector,
    samples: Sequence[Sample],
    inspections: Sequence[Inspection],
    give_product: bool,
) -> dict[str, Any]:
    manifest = inspector.bundle.manifest
    named = any(inspection.product is not None for inspection in inspections)
    right = [
        sample.product == inspection.product
        for sample, inspection in zip(samples, inspections, strict=True)
    ]
    return {
        "bundle_created": manifest.created,
        "model": manifest.model.name,
        "recipe": manifest.recipe.get("name"),
        "seed": manifest.recipe.get("seed"),
        "backbone": manifest.backbone.name,
        "evaluation_size": [manifest.preprocessing.height, manifest.preprocessing.width],
        "resize": manifest.preprocessing.resize,
        "product_given": give_product,
        "product_accuracy": float(np.mean(right)) if named else None,
        "scores": "calibrated per product on good training images"
        if named
        else "raw: the product was neither given nor recognised",
        "mask_binarised_at": 0.5,
        "aupro_fpr_limit": 0.3,
        "images": len(samples),
        "mintad": manifest.mintad,
    }
