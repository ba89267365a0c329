"""A training run: a directory that starts with a recipe and ends with a bundle."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import mintad
from mintad.assembly import Network, build_model, state_arrays
from mintad.backbones import FeatureCache, stream_features
from mintad.bundle import (
    BACKBONE_FILE,
    MODEL_FILE,
    BackboneEntry,
    Bundle,
    Manifest,
    ModelEntry,
    ProductEntry,
    load,
    write_bundle,
)
from mintad.data import Dataset, dataset_fingerprint
from mintad.decisions import ScoreScale, fit_scale
from mintad.errors import ConfigError, DataError
from mintad.exporting import export_trained
from mintad.models import AnomalyModel
from mintad.system.directory import default_cache_directory
from mintad.system.files import exclusive, storage_errors, write_json
from mintad.system.progress import Progress
from mintad.system.provenance import git_state, package_versions
from mintad.training import CHECKPOINT, RUN_FILE
from mintad.training.features import TrainingFeatures, hold_out
from mintad.training.fitting import fit
from mintad.training.recipe import Recipe, load_recipe
from mintad.training.run_file import read_run_file

METRICS_FILE = "metrics.json"
LOCK_FILE = ".lock"
FEWEST_IMAGES = 2


def train_run(
    dataset: Dataset,
    out: Path,
    *,
    recipe: str | Path,
    overrides: Mapping[str, Any] | Iterable[str],
    cache: Path | None,
    use_cache: bool,
    resume: bool,
    progress: Progress | None,
) -> Bundle:
    """See `mintad.train`."""
    good = dataset.good
    counts = count_products(good, dataset.train)
    fingerprint = dataset_fingerprint(good)
    overrides = overrides if isinstance(overrides, Mapping) else list(overrides)
    if resume:
        asked = load_recipe(recipe, overrides) if overrides or recipe != "default" else None
        chosen = _resumed_recipe(out, fingerprint, asked)
    else:
        chosen = load_recipe(recipe, overrides)
        check_empty(out)
    with _claimed(out):
        if not resume:
            check_empty(out)  # nobody else has begun meanwhile
        return _train(good, counts, chosen, out, fingerprint, cache, use_cache, resume, progress)


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """The folder for this process alone; it goes away again where nothing was written."""
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(out / LOCK_FILE, f"The folder {out}"):
            yield
    finally:
        with suppress(OSError):
            out.rmdir()


def _train(
    good: Dataset,
    counts: dict[str, int],
    chosen: Recipe,
    out: Path,
    fingerprint: str,
    cache: Path | None,
    use_cache: bool,
    resume: bool,
    progress: Progress | None,
) -> Bundle:
    """The run in a folder that is this process's alone."""
    if resume and (out / "bundle" / "manifest.json").is_file():
        return _with_graphs(load(out), chosen, good)
    torch.manual_seed(chosen.seed)
    network = build_model(chosen, tuple(counts))
    if chosen.training.epochs and not network.model.trainable:
        raise ConfigError(
            f"The recipe asks for {chosen.training.epochs} epochs, but with its switches "
            f"{chosen.model} has nothing to train: it is found in closed form.",
            "Set training.epochs=0, or choose switches or a recipe with a network to train.",
        )
    features = _features(good, tuple(counts), network, cache, use_cache, progress)
    if not resume:
        write_json(out / RUN_FILE, _describe(chosen, fingerprint, counts))
    kept, held = hold_out(features.products, chosen.training.holdout, chosen.seed)
    model = fit(network.model, features.of(kept), chosen, out, resume=resume, progress=progress)
    scales = _scales(model, features, held)
    metrics = _product_accuracy(model, features.of(held)) if len(kept) < len(features) else {}
    write_json(out / METRICS_FILE, metrics)
    held_counts = np.bincount(features.products[held], minlength=len(counts)).tolist()
    products = tuple(
        ProductEntry(
            name=name,
            train_images=count,
            held_out_images=number,
            centre=scale.centre,
            spread=scale.spread,
        )
        for (name, count), number, scale in zip(counts.items(), held_counts, scales, strict=True)
    )
    data = {"fingerprint": fingerprint, "images": len(good)}
    manifest = _manifest(chosen, network, model, products, metrics, data)
    files = {MODEL_FILE: state_arrays(model), BACKBONE_FILE: state_arrays(network.backbone)}
    bundle = write_bundle(out / "bundle", manifest, files)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return _with_graphs(bundle, chosen, good)


def _with_graphs(bundle: Bundle, recipe: Recipe, good: Dataset) -> Bundle:
    """The bundle with the graphs that the recipe asks for, if they are not there already."""
    if not recipe.export or bundle.manifest.graphs or bundle.manifest.graph_problem:
        return bundle
    return export_trained(bundle, good)


def count_products(good: Dataset, train: Dataset) -> dict[str, int]:
    """Good training images per product, sorted by name. Raises `DataError` for too few."""
    counts = dict.fromkeys(train.products, 0)
    for sample in good:
        counts[sample.product] += 1
    if not counts:
        raise DataError(
            "There are no training images.",
            "Put good images into PRODUCT/train/good (or PRODUCT/*.png), one folder per product.",
        )
    for product, count in counts.items():
        if count < FEWEST_IMAGES:
            raise DataError(
                f"The product {product} has {count} good training image"
                f"{'' if count == 1 else 's'}; what is normal cannot be learned from that.",
                f"Add at least {FEWEST_IMAGES} (better 20 or more), or leave the product out.",
            )
    return counts


def _features(
    good: Dataset,
    products: tuple[str, ...],
    network: Network,
    cache: Path | None,
    use_cache: bool,
    progress: Progress | None,
) -> TrainingFeatures:
    numbers = np.array([products.index(sample.product) for sample in good], np.int64)
    samples = good.samples
    backbone, preprocessing = network.backbone, network.preprocessing
    if use_cache:
        table = FeatureCache(cache or default_cache_directory()).features(
            samples, backbone, preprocessing, progress=progress
        )
        return TrainingFeatures(lambda rows: table[rows], network.model.shape, numbers)

    def stream(rows: NDArray[np.int64]) -> NDArray[np.float16]:
        chosen = [samples[row] for row in rows]
        parts = [part for _, part in stream_features(chosen, backbone, preprocessing)]
        return np.concatenate(parts)

    return TrainingFeatures(stream, network.model.shape, numbers)


@torch.inference_mode()
def _scales(
    model: AnomalyModel, features: TrainingFeatures, held: NDArray[np.int64]
) -> list[ScoreScale]:
    """Each product's scale: from cross-fitted scores where the model has them, else `held`."""
    left = features.of(held)
    scales = []
    for product in range(model.products):
        scores = model.held_out_scores(features.in_order, product)
        if scores is None:
            scores = torch.cat(
                [model.predict(*batch).raw_score for batch in left.in_order(product)]
            )
        scales.append(fit_scale(scores.float().numpy()))
    return scales


@torch.inference_mode()
def _product_accuracy(model: AnomalyModel, held: TrainingFeatures) -> dict[str, float]:
    if model.requirements.product:
        return {}
    right = total = 0
    for features, numbers in held.in_order():
        logits = model.predict(features).product_logits
        if logits is None:
            return {}
        right += int((logits.argmax(dim=1) == numbers).sum())
        total += len(numbers)
    return {"held_out_product_accuracy": right / total}


def check_empty(out: Path) -> None:
    """Raises `ConfigError` where a new run would meet files that are there already."""
    if (out / RUN_FILE).exists():
        raise ConfigError(
            f"{out} already holds a run.", "Choose another --out, delete it, or add --resume."
        )
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file.", "Name a folder for the run.")
    others = sorted(entry.name for entry in out.iterdir()) if out.is_dir() else []
    others = [name for name in others if name != LOCK_FILE and not name.endswith(".tmp")]
    if others:
        raise ConfigError(
            f"{out} holds files that are of no run, {others[0]} among them.",
            "Choose another --out: a folder that is empty, or is not there yet.",
        )


def _resumed_recipe(out: Path, fingerprint: str, asked: Recipe | None) -> Recipe:
    begun = read_run_file(out)
    if begun is None:
        raise ConfigError(f"{out} holds no run to resume.", "Train without --resume.")
    if begun.fingerprint != fingerprint:
        raise ConfigError(
            f"The training images are not those that the run in {out} began with.",
            "Resume with the same images, or train anew into another folder.",
        )
    if asked is not None and asked != begun.recipe:
        raise ConfigError(
            f"The run in {out} began with another recipe.",
            "Resume it without --recipe, --set and --seed, or train anew into another folder.",
        )
    return begun.recipe


def _describe(recipe: Recipe, fingerprint: str, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "recipe": recipe.model_dump(mode="json"),
        "data": {"fingerprint": fingerprint, "good_training_images": counts},
        "versions": package_versions(),
        "git": git_state(),
        "machine": {"system": platform.platform(), "threads": torch.get_num_threads()},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _manifest(
    recipe: Recipe,
    network: Network,
    model: AnomalyModel,
    products: tuple[ProductEntry, ...],
    metrics: dict[str, float],
    data: dict[str, Any],
) -> Manifest:
    backbone = network.backbone
    licence = backbone.spec.licence
    return Manifest(
        mintad=mintad.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        products=products,
        preprocessing=network.preprocessing,
        backbone=BackboneEntry(
            config=backbone.config,
            digest=backbone.digest(),
            weights_source=backbone.weights_source,
            licence=licence,
        ),
        model=ModelEntry(
            name=recipe.model,
            switches=model.config.model_dump(mode="json"),
            shape=model.shape,
            text_channels=network.text_channels,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            needs_product=model.requirements.product,
        ),
        recipe=recipe.model_dump(mode="json"),
        metrics=metrics,
        data=data,
        versions=package_versions(),
        licences={"mintad": "Apache-2.0", backbone.config.name: licence},
    )
