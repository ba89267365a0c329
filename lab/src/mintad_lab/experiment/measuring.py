"""Trains and measures a row: what the process of a run does.

The figures are those of `mintad evaluate` with the engine torch, but for the features: the cache
keeps them in half precision, and OpenVINO may have computed them.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

import mintad
from mintad.backbones import FeatureCache, FeatureTable, backbone_rows, create_backbone, unpack
from mintad.bundle import Bundle, RawPrediction
from mintad.data import Dataset, Preprocessing, Sample
from mintad.engines import TorchEngine
from mintad.inspection import Inspector
from mintad.metrics import EvaluationConfig, MetricTable, evaluate_parts
from mintad.models import model_class
from mintad.system import read_json, write_json
from mintad.training import RUN_FILE, load_recipe
from mintad_lab.experiment.process import Job, Outcome
from mintad_lab.experiment.table import Row, slug

if TYPE_CHECKING:
    from mintad_lab.peers.measuring import PeerMethod

TIME_FILE = "training.json"
BATCH_SIZE = 16
"""Images that the backbone sees at once, in the cache as in the inspector."""


def run_row(job: Job) -> Outcome:
    """Trains into `job.runs`, or goes on there, and measures the last epoch.

    One model over all products, or one for each, whose images are measured together. The outcome
    has the evaluation, every image score, and the seconds of training and of inspection.
    """
    good = job.dataset.good
    test = job.dataset.test.where(lambda sample: sample.label is not None)
    parts = [(good, test, job.runs)]
    if job.row.separate:
        parts = [
            (_of(good, product), _of(test, product), job.runs / f"{number:02}-{slug(product)}")
            for number, product in enumerate(good.products)
        ]
    took: list[float | None] = []
    training: list[float] = []

    def train_each() -> Iterator[Dataset]:
        for train_part, test_part, folder in parts:
            start = time.perf_counter()
            took.append(method.train(train_part, folder))
            training.append(time.perf_counter() - start)
            yield test_part

    with _method(job, [*good, *test]) as method:
        start = time.perf_counter()
        metrics, config = method.evaluate(train_each())
        inspected = time.perf_counter() - start - sum(training)
        about = method.about()
    uninterrupted = [seconds for seconds in took if seconds is not None]
    return {
        "evaluation": {**metrics.to_json(), "config": config.to_json()},
        "scores": {
            product: {"scores": scores.tolist(), "labels": labels.tolist()}
            for product, (scores, labels) in metrics.scores.items()
        },
        "seconds": sum(uninterrupted) if len(uninterrupted) == len(took) else None,
        "inspection_seconds": inspected,
        "training_images": len(good),
        **about,
    }


class Ours:
    """A row of mintad's: a recipe, on features from a cache."""

    def __init__(self, row: Row, seed: int, cache: Path | None) -> None:
        self.row = row
        self.settings = row.settings(seed)
        self.recipe = load_recipe(row.recipe, self.settings)
        self.cache = cache
        self.bundles: list[Bundle] = []

    def compute_features(self, samples: Sequence[Sample]) -> None:
        """One pass of the backbone, so that no time of a row holds any of it."""
        backbone = create_backbone(self.recipe.backbone)
        preprocessing = backbone.preprocessing(self.recipe.resize)
        FeatureCache(self.cache).features(samples, backbone, preprocessing, batch_size=BATCH_SIZE)

    def train(self, good: Dataset, folder: Path) -> float | None:
        """Trains a model; the seconds it took, None where it was once interrupted.

        A run that is there goes on, a finished one is used as it is.
        """
        resume = (folder / RUN_FILE).is_file()
        start = time.perf_counter()
        bundle = mintad.train(
            good,
            folder,
            recipe=self.row.recipe,
            overrides=self.settings,
            cache=self.cache,
            resume=resume,
        )
        self.bundles.append(bundle)
        file = folder / TIME_FILE
        if not resume:
            write_json(file, {"seconds": time.perf_counter() - start})
        return read_json(file)["seconds"] if file.is_file() else None

    def evaluate(self, parts: Iterable[Dataset]) -> tuple[MetricTable, EvaluationConfig]:
        """Measures test images together, each part with the model that was trained last."""
        evaluation = evaluate_parts(
            (
                (cached_inspector(self.bundles[-1], test.samples, self.cache), test)
                for test in parts
            ),
            give_product=self.row.separate or model_class(self.recipe.model).requirements.product,
            allow_unknown=True,
        )
        return evaluation.metrics, evaluation.config

    def about(self) -> dict[str, Any]:
        """Recipe and parameters, too."""
        manifests = [bundle.manifest for bundle in self.bundles]
        return {
            "model_bytes": sum(manifest.files["model.safetensors"].bytes for manifest in manifests),
            "parameters": sum(manifest.model.parameters for manifest in manifests),
            "recipe": manifests[-1].recipe,
        }


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


@contextmanager
def _method(job: Job, samples: Sequence[Sample]) -> Iterator[Ours | PeerMethod]:
    """The method of a row; with `from_images` its cache is an empty one that goes away again."""
    if job.row.peer is not None:
        from mintad_lab.peers.measuring import PeerMethod

        yield PeerMethod(job.row.peer, job.seed)
    elif job.from_images:
        if job.cache is not None:
            job.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="mintad-lab-", dir=job.cache) as folder:
            yield Ours(job.row, job.seed, Path(folder))
    else:
        ours = Ours(job.row, job.seed, job.cache)
        ours.compute_features(samples)
        yield ours


def _of(dataset: Dataset, product: str) -> Dataset:
    return dataset.where(lambda sample: sample.product == product)


def drop_bundles(folder: Path) -> None:
    """Deletes the bundles of the runs in `folder`, which are large; the rest of a run stays."""
    for manifest in list(folder.rglob("bundle/manifest.json")):
        shutil.rmtree(manifest.parent, ignore_errors=True)
