"""Makes the HTML report of a bundle on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mintad.data import Dataset, load_image
from mintad.inspection import Inspector
from mintad.metrics import Evaluation, evaluate, inspect_samples, sample_mask
from mintad.reporting.contents import Example, ReportData, pick_examples
from mintad.reporting.html import write_report

if TYPE_CHECKING:
    from mintad.bundle import Bundle
    from mintad.system.progress import Progress


def make_report(
    bundle: Bundle | str | Path,
    dataset: Dataset,
    out: Path,
    *,
    engine: str | None = None,
    max_pixels: int | None = None,
    examples: int = 6,
    give_product: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluates `bundle` on `dataset` and writes the page to `out`; the evaluation.

    The product of an image is recognised by the model unless `give_product`.
    """
    inspector = Inspector(bundle, engine=engine, max_pixels=max_pixels)
    evaluation = evaluate(
        inspector,
        dataset,
        give_product=give_product,
        progress=progress,
    )
    manifest = inspector.bundle.manifest
    data = ReportData(
        title=f"{manifest.model.name}: one model, {len(evaluation.metrics.products)} products",
        metrics=evaluation.metrics,
        config=evaluation.config.to_json(),
        details=_details(inspector, evaluation),
        examples=_examples(inspector, evaluation, examples, give_product),
        licences=manifest.licences,
    )
    write_report(data, out)
    return evaluation


def _examples(
    inspector: Inspector, evaluation: Evaluation, count: int, give_product: bool
) -> list[Example]:
    """The worst false alarms and misses of each product, inspected once more for their maps."""
    picks = pick_examples(
        [sample.product for sample in evaluation.samples],
        np.array([inspection.score for inspection in evaluation.inspections], np.float64),
        np.array([sample.label for sample in evaluation.samples], np.int64),
        count,
    )
    samples = [evaluation.samples[index] for _, index in picks]
    shown: list[Example] = []
    for (kind, _), (sample, inspection) in zip(
        picks, inspect_samples(inspector, samples, give_product=give_product), strict=True
    ):
        assert inspection.anomaly_map is not None
        assert inspection.score is not None
        assert sample.label is not None
        image = load_image(sample.image, inspector.preprocessing)
        size = (image.shape[0], image.shape[1])
        shown.append(
            Example(
                product=sample.product,
                name=sample.name,
                kind=kind,
                label=sample.label,
                defect_type=sample.defect_type,
                score=inspection.score,
                predicted_product=inspection.product,
                image=image,
                mask=sample_mask(sample, size) if sample.label else None,
                anomaly_map=inspection.anomaly_map,
                box=inspection.box,
            )
        )
    return shown


def _details(inspector: Inspector, evaluation: Evaluation) -> dict[str, str]:
    manifest = inspector.bundle.manifest
    backbone = manifest.backbone.config
    size: NDArray[np.int64] = np.array([entry.bytes for entry in manifest.files.values()])
    return {
        "Model": f"{manifest.model.name}, {manifest.model.parameters:,} parameters",
        "Recipe": f"{manifest.recipe.get('name')}, seed {manifest.recipe.get('seed')}",
        "Backbone": f"{backbone.name}, stages {list(backbone.stages)}, "
        f"{manifest.model.shape.channels} channels, weights: {manifest.backbone.weights_source}",
        "Image size": f"{manifest.preprocessing.width}x{manifest.preprocessing.height}, "
        f"{manifest.preprocessing.resize}; metrics at that size",
        "Training images": f"{sum(product.train_images for product in manifest.products):,} good",
        "Products recognised": _recognised(evaluation),
        "Scores": evaluation.config.scores,
        "Size of the bundle": f"{size.sum() / 1e6:.1f} MB",
        "Trained": manifest.created,
        "Versions": ", ".join(f"{name} {number}" for name, number in manifest.versions.items()),
    }


def _recognised(evaluation: Evaluation) -> str:
    if evaluation.config.product_given:
        return "given"
    accuracy = evaluation.config.product_accuracy
    return (
        "none: the method recognises none"
        if accuracy is None
        else f"{accuracy:.2%} of the test images"
    )
