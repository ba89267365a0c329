"""Runs a bundle over chosen images and keeps, per product, what is drawn and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mintad.assembly import load_backbone, load_model
from mintad.backbones import FeatureCache
from mintad.bundle import Bundle
from mintad.data import Dataset, Preprocessing, Sample, decode_image, decode_mask, prepare_mask
from mintad.errors import DataError
from mintad.models import AnomalyModel, Reconstruction
from mintad.system import Progress, default_cache_directory
from mintad_lab.inside.look import Anatomy, anatomy, attention_map, cosine_map, look
from mintad_lab.inside.posture import long_axis
from mintad_lab.inside.structure import evenly

Rows = NDArray[np.float32]

_BATCH = 8
_POSITIONS = 24
"""Positions kept of each image."""

_QUERY_IMAGES = 24
"""Good images of a product whose queries are looked at."""


class Pair(NamedTuple):
    """Features `(N, C)` of some positions of an image before and after reconstruction."""

    features: Rows
    rebuilt: Rows


class Token(NamedTuple):
    """What tells a good image from others of its product, and how the product lies in it.

    `vector` is the method's token `(T,)`, `pooled` the mean `(C,)` of the image's features,
    `angle` that of the product's long axis; None without one.
    """

    vector: Rows
    pooled: Rows
    angle: float | None


@dataclass
class ProductInside:
    """What is kept of one product.

    There is one pair per image: `good` of good ones, `defect` of positions inside the masks of
    defective ones. `attention` and `cosine` `(P, P)` are those of the queries of some good
    images, `recognised` the products that the model names for the images measured.
    """

    name: str
    good: list[Pair] = field(default_factory=list)
    defect: list[Pair] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    attention: list[Rows] = field(default_factory=list)
    cosine: list[Rows] = field(default_factory=list)
    recognised: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Gathered:
    """`names` are the bundle's products, `products` those of them that the data have.

    `measured_on` says whose images features and recognised products come from: test, or train
    where there are no test images.
    """

    anatomy: Anatomy
    names: tuple[str, ...]
    grid: tuple[int, int]
    products: tuple[ProductInside, ...]
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
    names, preprocessing = bundle.manifest.product_names, bundle.manifest.preprocessing
    model = load_model(bundle)
    parts = anatomy(bundle.manifest.model.name, model)
    chosen = choose(dataset, names, images)
    measured_on = "test" if any(sample.split == "test" for sample in chosen) else "train"
    table = FeatureCache(cache or default_cache_directory()).features(
        chosen,
        load_backbone(bundle),
        preprocessing,
        progress=progress,
    )
    products = {name: ProductInside(name) for name in names}
    rng = np.random.default_rng(0)
    for start in range(0, len(chosen), _BATCH):
        batch = chosen[start : start + _BATCH]
        features = table.features(np.arange(start, start + len(batch)))
        numbers = torch.tensor([names.index(sample.product) for sample in batch])
        seen = look(model, features, numbers)
        assert seen is not None
        for row, sample in enumerate(batch):
            product = products[sample.product]
            _keep_good(product, seen, row, sample)
            if sample.split == measured_on:
                places = _places(sample, model, preprocessing)
                _keep_measured(product, seen, row, sample, rng.permutation(places)[:_POSITIONS])
        if progress is not None:
            progress("images", start + len(batch), len(chosen))
    present = {sample.product for sample in chosen}
    kept = tuple(product for product in products.values() if product.name in present)
    grids = model.shape.grids
    grid = grids[0] if len(grids) == 1 else (model.shape.positions, 1)
    return Gathered(parts, names, grid, kept, measured_on)


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
    return [
        group[place]
        for _, group in sorted(groups.items(), key=lambda item: item[0])
        for place in evenly(len(group), images)
    ]


def _keep_good(product: ProductInside, seen: Reconstruction, row: int, sample: Sample) -> None:
    """Token and queries of a good image."""
    if sample.label != 0:
        return
    if seen.token is not None:
        pooled = seen.features[row].mean(dim=0).numpy()
        angle = long_axis(decode_image(sample.image))
        product.tokens.append(Token(seen.token[row].numpy(), pooled, angle))
    if seen.queries is not None and len(product.cosine) < _QUERY_IMAGES:
        queries = seen.queries[row : row + 1]
        product.attention.append(attention_map(queries).numpy())
        product.cosine.append(cosine_map(queries).numpy())


def _keep_measured(
    product: ProductInside, seen: Reconstruction, row: int, sample: Sample, places: NDArray[np.intp]
) -> None:
    """The recognised product of an image, and its features at some places."""
    if seen.product_logits is not None:
        product.recognised.append(int(seen.product_logits[row].argmax()))
    pair = Pair(seen.features[row, places].numpy(), seen.rebuilt[row, places].numpy())
    (product.good if sample.label == 0 else product.defect).append(pair)


def _places(sample: Sample, model: AnomalyModel, preprocessing: Preprocessing) -> NDArray[np.intp]:
    """All positions of a good image, those of a defective one that its mask covers by half."""
    if sample.label == 0:
        return np.arange(model.shape.positions)
    if sample.mask is None:
        return np.arange(0)
    mask = prepare_mask(decode_mask(sample.mask), preprocessing).astype(np.float32)
    cover = [
        np.asarray(Image.fromarray(mask).resize((columns, rows), Image.Resampling.BOX)).ravel()
        for rows, columns in model.shape.grids
    ]
    return np.flatnonzero(np.concatenate(cover) > 0.5)
