"""Runs bundles over labelled images and measures them: every metric, and every score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mintad.data import MAX_PIXELS, Dataset, Sample, decode_mask
from mintad.errors import DataError
from mintad.metrics.evaluation_config import EvaluationConfig, evaluation_config
from mintad.metrics.metric_table import MetricTable
from mintad.metrics.profiles import REFERENCE, Profile, find_profiles
from mintad.metrics.streaming import StreamingMetrics
from mintad.system.progress import Progress
from mintad.system.words import counted

if TYPE_CHECKING:
    from mintad.bundle import Manifest
    from mintad.inspection import Inspection, Inspector


@dataclass(frozen=True)
class Evaluation:
    """The metrics under each profile, and for each image the inspection without its map.

    `tables` and `profiles` have the same order, `mintad` first.

    >>> evaluation = mintad.evaluate("run", "data")
    >>> evaluation
    Evaluation(16 images of 2 products, mintad)
    >>> evaluation.metrics.products["blobs"].n_defect
    4
    """

    tables: Mapping[str, MetricTable]
    profiles: tuple[Profile, ...]
    config: EvaluationConfig
    samples: tuple[Sample, ...] = field(repr=False)
    inspections: tuple[Inspection, ...] = field(repr=False)

    def __repr__(self) -> str:
        images = counted(len(self.samples), "image")
        products = counted(len(self.metrics.products), "product")
        return f"Evaluation({images} of {products}, {' '.join(self.tables)})"

    @property
    def metrics(self) -> MetricTable:
        """The metrics under the profile `mintad`."""
        return self.tables[REFERENCE]

    def to_json(self) -> dict[str, Any]:
        """What `mintad evaluate --json` writes; `protocols` only where there are others."""
        protocols = {
            profile.name: {
                **self.tables[profile.name].to_json(),
                "protocol": profile.model_dump(mode="json"),
            }
            for profile in self.profiles[1:]
        }
        content = {**self.metrics.to_json(), "config": self.config.to_json()}
        return content | ({"protocols": protocols} if protocols else {})


def evaluate(
    inspector: Inspector,
    dataset: Dataset,
    *,
    protocols: Sequence[str | Profile] = (),
    give_product: bool = False,
    allow_unknown: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Inspects the test images of `dataset` and measures the calibrated scores and maps.

    The product of an image is recognised by the model unless `give_product`. Maps and masks are
    compared at the size of the prepared image, masks by nearest neighbour; where an image was
    padded only the picture itself counts. `protocols` are profiles, or their names, under which
    the same predictions are measured too; "all" is every one. Raises `DataError` without test
    images or, unless `allow_unknown`, for a product that the bundle does not know, and
    `ConfigError` for an unknown protocol.
    """
    return evaluate_parts(
        [(inspector, dataset)],
        protocols=protocols,
        give_product=give_product,
        allow_unknown=allow_unknown,
        progress=progress,
    )


def evaluate_parts(
    parts: Iterable[tuple[Inspector, Dataset]],
    *,
    protocols: Sequence[str | Profile] = (),
    give_product: bool = False,
    allow_unknown: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """One evaluation of several bundles, each on its own images: one model per product.

    Arguments and errors are those of `evaluate`. The parts are taken one after the other, and
    `progress` counts the images of each. Raises `ConfigError` for bundles that prepare images to
    different sizes, and `ValueError` for no parts.
    """
    meters = [StreamingMetrics(profile) for profile in find_profiles(protocols)]
    manifests: list[Manifest] = []
    samples: list[Sample] = []
    inspections: list[Inspection] = []
    for inspector, dataset in parts:
        known = dataset.products if allow_unknown else inspector.products
        part = labelled_test(dataset, known)
        manifests.append(inspector.bundle.manifest)
        samples += part
        inspections += _measure(meters, inspector, part, give_product, progress)
    if not manifests:
        raise ValueError("There are no parts to evaluate.")
    inspected_as = [
        (sample.product, inspection.product)
        for sample, inspection in zip(samples, inspections, strict=True)
    ]
    return Evaluation(
        {meter.profile.name: meter.result() for meter in meters},
        tuple(meter.profile for meter in meters),
        evaluation_config(manifests, inspected_as, give_product),
        tuple(samples),
        tuple(inspections),
    )


def _measure(
    meters: Sequence[StreamingMetrics],
    inspector: Inspector,
    samples: Sequence[Sample],
    give_product: bool,
    progress: Progress | None,
) -> list[Inspection]:
    """Adds the inspections of labelled `samples` to every meter; they come back without maps.

    Raises `DataError` for an image that cannot be read, or a mask of another size.
    """
    inspections: list[Inspection] = []
    for sample, inspection in inspect_samples(inspector, samples, give_product=give_product):
        if inspection.error is not None:
            raise DataError(
                inspection.error, "Mend or remove the image; `mintad validate` lists them all."
            )
        assert inspection.score is not None
        assert inspection.anomaly_map is not None
        assert inspection.size is not None
        assert sample.label is not None
        picture = picture_of(inspection.anomaly_map, inspection.box)
        mask = sample_mask(sample, inspection.size)
        for meter in meters:
            meter.update(
                sample.product,
                score=inspection.score,
                label=sample.label,
                anomaly_map=picture,
                mask=mask,
            )
        inspections.append(replace(inspection, anomaly_map=None))
        if progress is not None:
            progress("images", len(inspections), len(samples))
    return inspections


def labelled_test(dataset: Dataset, known: Sequence[str]) -> list[Sample]:
    """The labelled test images. Raises `DataError` for none, or a product that is not `known`."""
    samples = [sample for sample in dataset.test if sample.label is not None]
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
    return samples


def inspect_samples(
    inspector: Inspector, samples: Sequence[Sample], *, give_product: bool
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
    mask = decode_mask(sample.mask, max_pixels=max(MAX_PIXELS, size[0] * size[1]))
    if mask.shape != size:
        raise DataError(
            f"The mask {sample.mask} has {mask.shape[1]}x{mask.shape[0]} pixels, "
            f"its image {sample.name} has {size[1]}x{size[0]}.",
            "Draw the mask on the image as it is; `mintad validate` lists all such masks.",
        )
    return mask


def picture_of(array: NDArray[Any], box: tuple[int, int, int, int] | None) -> NDArray[Any]:
    """The part `box` (top, left, height, width) of a map; all of it without a box."""
    if box is None:
        return array
    top, left, height, width = box
    return array[top : top + height, left : left + width]
