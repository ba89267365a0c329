"""Trains and measures one of mintad's rows: what the processes of a table run."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mintad.bundle import Bundle
from mintad.data import Dataset
from mintad.metrics import StreamingMetrics
from mintad.metrics.evaluation import measure
from mintad.models import model_class
from mintad.training.recipe import load_recipe
from mintad_lab.bench.tables import Method
from mintad_lab.peers.process import finish, read_job
from mintad_lab.studies.measuring import cached_inspector
from mintad_lab.studies.running import train_timed
from mintad_lab.studies.setting import slug

Outcome = dict[str, Any]


def run_ours(
    method: Method,
    dataset: Dataset,
    runs: Path,
    *,
    seed: int,
    cache: Path | None,
    from_images: bool,
) -> Outcome:
    """Trains into `runs`, or goes on there, and measures the last epoch.

    The product is given where the method needs it or every product has its own model. With
    `from_images` the features of the training images are computed anew, and not kept.
    """
    overrides = [*method.overrides, "export=false", f"seed={seed}"]
    recipe = load_recipe(method.recipe, overrides)
    given = method.separate or model_class(recipe.model).needs_product
    good = dataset.good
    test = dataset.test.where(lambda sample: sample.label is not None)
    parts = [(good, list(test), runs)]
    if method.separate:
        parts = [
            (
                good.where(lambda sample, p=product: sample.product == p),  # type: ignore[misc]
                [sample for sample in test if sample.product == product],
                runs / f"{number:02}-{slug(product)}",
            )
            for number, product in enumerate(good.products)
        ]
    evaluator = StreamingMetrics()
    seconds: list[float | None] = []
    inspected, size, right, named = 0.0, 0, 0, 0
    bundle: Bundle | None = None
    for train_part, test_part, folder in parts:
        with _cache(cache, from_images) as place:
            bundle, took = train_timed(train_part, folder, method.recipe, overrides, place)
        seconds.append(took)
        size += (bundle.path / "model.safetensors").stat().st_size
        start = time.perf_counter()
        inspector = cached_inspector(bundle, test_part, cache)
        found = measure([evaluator], inspector, test_part, give_product=given)
        inspected += time.perf_counter() - start
        pairs = list(zip(test_part, found, strict=True))
        named += sum(one.product is not None for one in found)
        right += sum(sample.product == one.product for sample, one in pairs)
    assert bundle is not None
    evaluation = evaluator.result()
    manifest = bundle.manifest
    known = set(good.products) >= {sample.product for sample in test}
    return {
        "evaluation": {
            **evaluation.to_json(),
            "config": {
                "evaluation_size": [manifest.preprocessing.height, manifest.preprocessing.width],
                "product_given": given,
                "product_accuracy": right / len(test) if named and known and not given else None,
                "scores": "calibrated" if named else "raw",
                "images": len(test),
            },
        },
        "scores": {
            name: {"scores": scores.tolist(), "labels": labels.tolist()}
            for name, (scores, labels) in evaluation.scores.items()
        },
        "seconds": None if None in seconds else sum(one for one in seconds if one is not None),
        "inspection_seconds": inspected,
        "model_bytes": size,
        "recipe": manifest.recipe,
    }


@contextmanager
def _cache(cache: Path | None, anew: bool) -> Iterator[Path | None]:
    """The cache of a training: the shared one, or an empty one that goes away again."""
    if not anew:
        yield cache
        return
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="mintad-bench-", dir=cache))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(folder: Path) -> None:
    """Runs the job in `folder` and writes its outcome."""
    job = read_job(folder)
    finish(folder, run_ours(**job))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
