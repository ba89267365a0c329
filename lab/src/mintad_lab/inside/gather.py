"""Runs a bundle over chosen images and keeps, per product, what is drawn and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mintad.assembly import load_backbone, load_model
from mintad.backbones import FeatureCache
from mintad.bundle import Bundle
from mintad.data import Dataset, Preprocessing, Sample, decode_image, decode_mask, prepare_mask
from mintad.errors import DataError
from mintad.models import AnomalyModel
from mintad.system import Progress, default_cache_directory
from mintad_lab.inside.look import Anatomy, anatomy, attention_map, cosine_map, look
from mintad_lab.inside.posture import Posture, posture

_BATCH = 8
_POSITIONS = 24
"""Positions kept of each image."""

_QUERY_IMAGES = 24
"""Good images of a product whose queries are looked at."""


@dataclass
class ProductInside:
    """What is kept of one product; rows of the lists belong together.

    `good` and `defect` are features `(N, C)` before and after reconstruction: of good images, and
    of positions inside the masks of defective ones. `tokens` are of good images, with the posture
    of each and the same images' features averaged over positions (`pooled`). `recognised` counts
    the products that the model names for the images measured.
    """

    name: str
    good: list[NDArray[np.float32]] = field(default_factory=list)
    good_rebuilt: list[NDArray[np.float32]] = field(default_factory=list)
    defect: list[NDArray[np.float32]] = field(default_factory=list)
    defect_rebuilt: list[NDArray[np.float32]] = field(default_factory=list)
    tokens: list[NDArray[np.float32]] = field(default_factory=list)
    pooled: list[NDArray[np.float32]] = field(default_factory=list)
    postures: list[Posture | None] = field(default_factory=list)
    attention: list[NDArray[np.float32]] = field(default_factory=list)
    cosine: list[NDArray[np.float32]] = field(default_factory=list)
    recognised: list[int] = field(default_factory=list)
    good_images: int = 0
    defective_images: int = 0


@dataclass(frozen=True)
class Gathered:
    """The products in the order of the bundle, without those that the data do not have.

    `measured_on` says whose images features and recognised products come from: test, or train
    where there are no test images.
    """

    anatomy: Anatomy
    products: tuple[str, ...]
    grid: tuple[int, int]
    inside: tuple[ProductInside, ...]
    measured_on: str


def gather(
    bundle: Bundle,
    dataset: Dataset,
    images: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Gathered:
    """Looks at up to `images` good training, good test and defective test images per product.

    Raises `ConfigError` for a method with nothing to look at, `DataError` for data without any
    product of the bundle.
    """
    names = bundle.manifest.product_names
    model = load_model(bundle)
    parts = anatomy(bundle.manifest.model.name, model)
    chosen = choose(dataset, names, images)
    measured_on = "test" if any(sample.split == "test" for sample in chosen) else "train"
    backbone, preprocessing = load_backbone(bundle), bundle.manifest.preprocessing
    table = FeatureCache(cache or default_cache_directory()).features(
        chosen,
        backbone,
        preprocessing,
        progress=progress,
    )
    found = {name: ProductInside(name) for name in names}
    rng = np.random.default_rng(0)
    for start in range(0, len(chosen), _BATCH):
        batch = chosen[start : start + _BATCH]
        tokens = torch.from_numpy(table[np.arange(start, start + len(batch))]).float()
        _keep(model, tokens, batch, found, preprocessing, measured_on, rng)
        if progress is not None:
            progress("images", start + len(batch), len(chosen))
    present = {sample.product for sample in chosen}
    return Gathered(
        parts,
        names,
        bundle.manifest.model.grid,
        tuple(inside for name, inside in found.items() if name in present),
        measured_on,
    )


def choose(dataset: Dataset, names: Sequence[str], images: int) -> list[Sample]:
    """Up to `images` evenly chosen samples of each product, split and label."""
    groups: dict[tuple[str, str, int], list[Sample]] = {}
    for sample in dataset:
        if sample.label is not None and (sample.split, sample.label) != ("train", 1):
            key = (sample.product, sample.split, sample.label)
            groups.setdefault(key, []).append(sample)
    unknown = sorted({product for product, _, _ in groups} - set(names))
    if unknown or not groups:
        raise DataError(
            f"The bundle does not know the product {unknown[0]}."
            if unknown
            else "The data hold no images that are known to be good or defective.",
            f"It knows: {', '.join(names)}.",
        )
    chosen = []
    for _, group in sorted(groups.items(), key=lambda item: item[0]):
        places = np.linspace(0, len(group) - 1, min(images, len(group))).round().astype(int)
        chosen += [group[place] for place in places]
    return chosen


def _keep(
    model: AnomalyModel,
    tokens: torch.Tensor,
    batch: Sequence[Sample],
    found: dict[str, ProductInside],
    preprocessing: Preprocessing,
    measured_on: str,
    rng: np.random.Generator,
) -> None:
    names = list(found)
    numbers = torch.tensor([names.index(sample.product) for sample in batch])
    seen = look(model, tokens, numbers)
    for row, sample in enumerate(batch):
        inside = found[sample.product]
        if sample.label == 0 and seen.tokens is not None:
            inside.tokens.append(seen.tokens[row].numpy())
            inside.pooled.append(seen.original[row].mean(dim=0).numpy())
            inside.postures.append(posture(decode_image(sample.image)))
        if sample.label == 0 and seen.queries is not None and len(inside.cosine) < _QUERY_IMAGES:
            query = seen.queries[row : row + 1]
            inside.attention.append(attention_map(query).numpy())
            inside.cosine.append(cosine_map(query).numpy())
        if sample.split != measured_on:
            continue
        if seen.logits is not None:
            inside.recognised.append(int(seen.logits[row].argmax()))
        if sample.label == 0:
            inside.good_images += 1
            places = np.arange(seen.original.shape[1])
            kept = (inside.good, inside.good_rebuilt)
        else:
            inside.defective_images += 1
            places = np.flatnonzero(_defective(sample, preprocessing, model))
            kept = (inside.defect, inside.defect_rebuilt)
        some = torch.from_numpy(rng.permutation(places)[:_POSITIONS])
        for features, into in zip((seen.original, seen.rebuilt), kept, strict=True):
            into.append(features[row, some].numpy())


def _defective(
    sample: Sample, preprocessing: Preprocessing, model: AnomalyModel
) -> NDArray[np.bool_]:
    """Whether more than half of each position `(P,)` lies inside the sample's mask."""
    grids = model.shape.grids or (model.shape.grid,)
    if sample.mask is None:
        return np.zeros(sum(rows * columns for rows, columns in grids), np.bool_)
    mask = prepare_mask(decode_mask(sample.mask), preprocessing).astype(np.float32)
    cover = [
        np.asarray(Image.fromarray(mask).resize((columns, rows), Image.Resampling.BOX)).ravel()
        for rows, columns in grids
    ]
    inside: NDArray[np.bool_] = np.concatenate(cover) > 0.5
    return inside
