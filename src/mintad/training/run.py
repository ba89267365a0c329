"""A training run: a directory that starts with a recipe and ends with a bundle."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import mintad
from mintad.assembly import BACKBONE_FILE, MODEL_FILE, state_arrays
from mintad.backbones import Backbone, FeatureCache, create_backbone
from mintad.backbones.extraction import stream_features
from mintad.backbones.student import create_student
from mintad.backbones.text import embed_products
from mintad.bundle import (
    BackboneEntry,
    Bundle,
    Manifest,
    ModelEntry,
    ProductEntry,
    load,
    write_bundle,
)
from mintad.data import Dataset, Preprocessing, dataset_fingerprint
from mintad.decisions import ScoreScale, fit_scale
from mintad.errors import ConfigError, DataError
from mintad.exporting.good_images import export_trained
from mintad.models import AnomalyModel, create_model, model_config
from mintad.models.class_aware import TextPromptConfig
from mintad.system.directory import default_cache_directory
from mintad.system.files import write_json
from mintad.system.progress import Progress
from mintad.system.provenance import git_state, package_versions
from mintad.training import CHECKPOINT, RUN_FILE
from mintad.training.fit import fit
from mintad.training.recipe import Recipe, load_recipe
from mintad.training.run_file import read_run_file
from mintad.training.shape import input_shape
from mintad.training.tokens import TrainingTokens, hold_out

METRICS_FILE = "metrics.json"
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
        if (out / "bundle" / "manifest.json").is_file():
            return _with_graphs(load(out), chosen, good)
    else:
        _check_empty(out)
        chosen = load_recipe(recipe, overrides)
    texts = _product_texts(chosen, tuple(counts))
    torch.manual_seed(chosen.seed)
    backbone = create_backbone(chosen.backbone)
    preprocessing = backbone.preprocessing(chosen.resize)
    text_channels = 0 if texts is None else texts.shape[1]
    shape = input_shape(backbone, preprocessing, len(counts), text_channels)
    model = create_model(chosen.model, chosen.switches, shape)
    if model.needs_images:
        model.set_student(create_student(backbone.config, chosen.seed))
    if texts is not None:
        model.set_product_embeddings(texts)
    tokens = _tokens(good, tuple(counts), backbone, preprocessing, cache, use_cache, progress)
    if not resume:
        write_json(out / RUN_FILE, _describe(chosen, fingerprint, counts))
    kept, held = hold_out(tokens.products, chosen.training.holdout, chosen.seed)
    model = fit(model, tokens.of(kept), chosen, out, resume=resume, progress=progress)
    scales = _scales(model, tokens, held)
    metrics = _product_accuracy(model, tokens.of(held)) if len(kept) < len(tokens) else {}
    write_json(out / METRICS_FILE, metrics)
    held_counts = np.bincount(tokens.products[held], minlength=len(counts)).tolist()
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
    manifest = _manifest(chosen, backbone, preprocessing, model, products, metrics, data)
    files = {MODEL_FILE: state_arrays(model), BACKBONE_FILE: state_arrays(backbone)}
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


def _product_texts(recipe: Recipe, products: Sequence[str]) -> Tensor | None:
    """The text embeddings `(K, E)` of the products' names, where the method reads them."""
    config = model_config(recipe.model, recipe.switches)
    if not isinstance(config, TextPromptConfig):
        return None
    return embed_products(config.text_encoder, products, config.template)


def _tokens(
    good: Dataset,
    products: tuple[str, ...],
    backbone: Backbone,
    preprocessing: Preprocessing,
    cache: Path | None,
    use_cache: bool,
    progress: Progress | None,
) -> TrainingTokens:
    numbers = np.array([products.index(sample.product) for sample in good], np.int64)
    samples = good.samples
    if use_cache:
        table = FeatureCache(cache or default_cache_directory()).features(
            samples,
            backbone,
            preprocessing,
            progress=progress,
        )
        return TrainingTokens(lambda rows: table[rows], numbers)

    def stream(rows: NDArray[np.int64]) -> NDArray[np.float16]:
        chosen = [samples[row] for row in rows]
        parts = [part for _, part in stream_features(chosen, backbone, preprocessing)]
        return np.concatenate(parts)

    return TrainingTokens(stream, numbers)


@torch.inference_mode()
def _scales(
    model: AnomalyModel, tokens: TrainingTokens, held: NDArray[np.int64]
) -> list[ScoreScale]:
    """Each product's scale: from cross-fitted scores where the model has them, else `held`."""
    left = tokens.of(held)
    scales = []
    for product in range(model.shape.products):
        scores = model.held_out_scores(tokens.in_order, product)
        if scores is None:
            found = [model.predict(*batch).raw_score for batch in left.in_order(product)]
            scores = torch.cat(found)
        scales.append(fit_scale(scores.float().numpy()))
    return scales


@torch.inference_mode()
def _product_accuracy(model: AnomalyModel, held: TrainingTokens) -> dict[str, float]:
    if model.needs_product:
        return {}
    right = total = 0
    for tokens, numbers in held.in_order():
        logits = model.predict(tokens).product_logits
        if logits is None:
            return {}
        right += int((logits.argmax(dim=1) == numbers).sum())
        total += len(numbers)
    return {"held_out_product_accuracy": right / total}


def _check_empty(out: Path) -> None:
    if (out / RUN_FILE).exists():
        raise ConfigError(
            f"{out} already holds a run.", "Choose another --out, delete it, or add --resume."
        )
    if out.is_file():
        raise ConfigError(f"{out} is a file.", "Name a folder for the run.")


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
    backbone: Backbone,
    preprocessing: Preprocessing,
    model: AnomalyModel,
    products: tuple[ProductEntry, ...],
    metrics: dict[str, float],
    data: dict[str, Any],
) -> Manifest:
    return Manifest(
        mintad=mintad.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        products=products,
        preprocessing=preprocessing,
        backbone=BackboneEntry(
            name=backbone.config.name,
            stages=backbone.stages,
            stride=backbone.stride,
            sampling=backbone.config.sampling,
            also_at=backbone.config.also_at,
            channels=backbone.channels,
            digest=backbone.digest(),
            weights_source=backbone.weights_source,
            licence=backbone.licence,
        ),
        model=ModelEntry(
            name=recipe.model,
            switches=model.config.model_dump(mode="json"),
            **model.shape.model_dump(exclude={"products", "image_size"}),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            needs_product=model.needs_product,
        ),
        recipe=recipe.model_dump(mode="json"),
        metrics=metrics,
        data=data,
        versions=package_versions(),
        licences={"mintad": "Apache-2.0", backbone.config.name: backbone.licence},
    )
