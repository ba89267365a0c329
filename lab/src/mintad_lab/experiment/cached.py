"""An inspector on features that the cache keeps: the backbone runs once for all rows.

The figures are those of `mintad evaluate` with the engine torch, but for the features: the cache
keeps them in half precision, and OpenVINO may have computed them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mintad.backbones import FeatureCache, FeatureTable, backbone_rows, unpack
from mintad.bundle import Bundle, RawPrediction
from mintad.data import Preprocessing, Sample
from mintad.engines import TorchEngine
from mintad.inspection import Inspector

BATCH_SIZE = 16
"""Images that the backbone sees at once, in the cache as in the inspector."""


class CachedEngine:
    """Runs a bundle's model alone, on features that are at hand.

    The images must come in the order of `table`. A batch that is not whole goes through the
    backbone all the same: there its last digits depend on the number of images.
    """

    def __init__(
        self, engine: TorchEngine, preprocessing: Preprocessing, table: FeatureTable
    ) -> None:
        self.engine = engine
        self.preprocessing = preprocessing
        self.table = table
        self.done = 0

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """The prediction of the next images `(B, h, w, 3)`; `products` is `int64 (B,)`."""
        rows = np.arange(self.done, self.done + len(images))
        self.done += len(images)
        if len(images) == BATCH_SIZE:
            features = self.table.features(rows)
        else:
            backbone = self.engine.network.backbone
            half = backbone_rows(images, backbone, self.preprocessing, batch_size=len(images))
            features = unpack(torch.from_numpy(half).float(), self.engine.network.model.shape)
        return self.engine.predict_features(features, products)


def cached_inspector(
    bundle: Bundle, samples: Sequence[Sample], cache: Path | None = None
) -> Inspector:
    """An inspector for one pass over `samples`, in their order, with features from the cache.

    What the cache does not hold is computed first. `cache` None is the user's cache folder.
    """
    inspector = Inspector(bundle, engine="torch", batch_size=BATCH_SIZE)
    engine = inspector.engine
    assert isinstance(engine, TorchEngine)
    preprocessing = bundle.manifest.preprocessing
    table = FeatureCache(cache).features(
        samples, engine.network.backbone, preprocessing, batch_size=BATCH_SIZE
    )
    inspector.engine = CachedEngine(engine, preprocessing, table)
    return inspector
