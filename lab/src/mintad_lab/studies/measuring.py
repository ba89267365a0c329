"""Measures bundles on test images whose features the cache keeps: the backbone runs once for all.

The figures are those of `mintad evaluate` with the engine torch: it is the same inspector. To the
last digit they are so where torch computed the features; OpenVINO, which computes those of many
images, may differ in the last bit of half precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mintad.backbones import FeatureCache, FeatureTable
from mintad.bundle import Bundle, RawPrediction, load
from mintad.data import Dataset, Sample
from mintad.engines.torch_engine import TorchEngine
from mintad.inspection import Inspector
from mintad.metrics import StreamingMetrics
from mintad.metrics.evaluation import Evaluation, evaluate, labelled_test, measure
from mintad.system import Progress

BATCH_SIZE = 16
"""Images that the backbone sees at once, in the cache as in the inspector."""


class CachedEngine:
    """Runs a bundle's model alone, on tokens that are at hand.

    The images must come in the order of `table`. A batch that is not whole goes through the
    backbone all the same: there its last digits depend on the number of images.
    """

    def __init__(self, engine: TorchEngine, table: FeatureTable) -> None:
        self.engine = engine
        self.table = table
        self.done = 0

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """The prediction of the next images `(B, h, w, 3)`; `products` is `int64 (B,)`."""
        rows = np.arange(self.done, self.done + len(images))
        self.done += len(images)
        whole = len(images) == BATCH_SIZE
        if whole:
            return self.engine.predict_tokens(self.table[rows], products)
        return self.engine.predict(images, products)


def cached_inspector(
    bundle: Bundle | str | Path,
    samples: Sequence[Sample],
    cache: Path | None = None,
) -> Inspector:
    """An inspector for one pass over `samples`, in their order, with features from the cache.

    What the cache does not hold is computed first. `cache` None is the user's cache folder.
    """
    inspector = Inspector(bundle, engine="torch", batch_size=BATCH_SIZE)
    engine = inspector.engine
    assert isinstance(engine, TorchEngine)
    table = FeatureCache(cache).features(
        samples, engine.backbone, engine.preprocessing, batch_size=BATCH_SIZE
    )
    inspector.engine = CachedEngine(engine, table)
    return inspector


def evaluate_cached(
    bundle: Bundle | str | Path,
    dataset: Dataset,
    cache: Path | None = None,
    *,
    give_product: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """What `mintad.evaluate` says of `bundle` on the test images of `dataset`, without a pass of
    the backbone over images that the cache knows.

    Raises `DataError` without labelled test images or for a product that the bundle does not know.
    """
    bundle = bundle if isinstance(bundle, Bundle) else load(bundle)
    samples = labelled_test(dataset, bundle.manifest.product_names)
    inspector = cached_inspector(bundle, samples, cache)
    return evaluate(inspector, dataset, give_product=give_product, progress=progress)


def evaluate_separate(
    parts: Sequence[tuple[Bundle, Dataset]], cache: Path | None = None
) -> dict[str, Any]:
    """One evaluation of many bundles, each on its own products, as `Evaluation.to_json` has it.

    The product of every image is known: it says which bundle looks at it.
    """
    evaluator = StreamingMetrics()
    images = 0
    for bundle, dataset in parts:
        samples = labelled_test(dataset, bundle.manifest.product_names)
        inspector = cached_inspector(bundle, samples, cache)
        images += len(measure([evaluator], inspector, samples, give_product=True))
    size = parts[0][0].manifest.preprocessing
    return {
        **evaluator.result().to_json(),
        "config": {
            "bundles": len(parts),
            "evaluation_size": [size.height, size.width],
            "product_given": True,
            "product_accuracy": None,
            "scores": "calibrated per product on good training images",
            "images": images,
        },
    }
