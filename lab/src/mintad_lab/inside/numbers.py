"""The numbers of a look inside, per product, as they go into `inside.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mintad_lab.inside.gather import Gathered, Pair, ProductInside
from mintad_lab.inside.structure import (
    FEWEST,
    Subclasses,
    explained,
    neighbours_r2,
    ridge_r2,
    silhouette,
    subclasses,
)


@dataclass(frozen=True)
class Reading:
    """How well the posture is read from vectors: cross-validated R² of (cos 2a, sin 2a).

    Of a linear reading (ridge) and of the five nearest neighbours, from the class tokens and, for
    comparison, from the features' mean over positions.
    """

    images: int
    linear: float
    neighbours: float
    linear_from_features: float
    neighbours_from_features: float


@dataclass(frozen=True)
class QueryNumbers:
    """What is measured on the queries of a product.

    `own_attention` is the attention that a query pays to itself, `attended` the number of
    positions that it attends to (the exponential of the entropy), `near_cosine` and `far_cosine`
    the mean cosine of queries side by side and of all others.
    """

    own_attention: float | None = None
    attended: float | None = None
    near_cosine: float | None = None
    far_cosine: float | None = None


@dataclass(frozen=True)
class ProductNumbers:
    """What is measured on one product; None where it is not defined.

    `explained_good` and `explained_defect` are the shares of the features' variance about the
    product's mean that are rebuilt, on good images and inside defects.
    """

    good_images: int
    defective_images: int
    token_images: int
    explained_good: float | None
    explained_defect: float | None
    queries: QueryNumbers
    subclasses: Subclasses | None
    posture: Reading | None

    def to_json(self) -> dict[str, Any]:
        """The same in plain values; of the clusters their sizes."""
        plain = asdict(self)
        plain |= plain.pop("queries")
        if self.subclasses is not None:
            sizes = np.bincount(plain["subclasses"].pop("labels"))
            plain["subclasses"]["sizes"] = sorted(sizes.tolist(), reverse=True)
        return plain


def product_numbers(product: ProductInside, grid: tuple[int, int]) -> ProductNumbers:
    """Everything that is measured on one product."""
    good = joined(product.good)
    mean = None if good is None else good.features.mean(axis=0, dtype=np.float64)
    vectors = [token.vector for token in product.tokens]
    return ProductNumbers(
        good_images=len(product.good),
        defective_images=len(product.defect),
        token_images=len(product.tokens),
        explained_good=_explained(good, mean),
        explained_defect=_explained(joined(product.defect), mean),
        queries=_query_numbers(product, grid),
        subclasses=subclasses(np.stack(vectors)) if vectors else None,
        posture=_reading(product),
    )


def confusion(gathered: Gathered) -> NDArray[np.int64] | None:
    """True products by recognised ones `(K, K)`; None where no product is recognised."""
    if gathered.anatomy.recogniser is None:
        return None
    counts = np.zeros((len(gathered.names), len(gathered.names)), np.int64)
    for product in gathered.products:
        row = gathered.names.index(product.name)
        np.add.at(counts[row], np.array(product.recognised, np.intp), 1)
    return counts


def accuracy(counts: NDArray[np.int64]) -> float:
    """The share of images whose product is recognised."""
    return float(np.trace(counts) / max(counts.sum(), 1))


def product_silhouette(gathered: Gathered) -> float | None:
    """How far the products' tokens stand apart: the silhouette with the products as clusters."""
    held = [product.tokens for product in gathered.products if len(product.tokens) > 1]
    if len(held) < 2:
        return None
    vectors = np.stack([token.vector for tokens in held for token in tokens])
    return silhouette(vectors, np.repeat(np.arange(len(held)), [len(tokens) for tokens in held]))


def joined(pairs: Sequence[Pair]) -> Pair | None:
    """The rows of all pairs; None where there are none."""
    if not sum(len(pair.features) for pair in pairs):
        return None
    features, rebuilt = zip(*pairs, strict=True)
    return Pair(np.concatenate(features), np.concatenate(rebuilt))


def _explained(pair: Pair | None, mean: NDArray[np.float64] | None) -> float | None:
    return None if pair is None or mean is None else explained(*pair, mean)


def _query_numbers(product: ProductInside, grid: tuple[int, int]) -> QueryNumbers:
    if not product.cosine:
        return QueryNumbers()
    attention = np.stack(product.attention).astype(np.float64)  # (N, P, P)
    entropy = -(attention * np.log(np.maximum(attention, 1e-30))).sum(axis=2)
    cosine = np.mean(product.cosine, axis=0)
    y, x = (part.ravel() for part in np.indices(grid))
    steps = np.abs(y[:, None] - y) + np.abs(x[:, None] - x)
    near, far = cosine[steps == 1], cosine[steps > 1]
    return QueryNumbers(
        own_attention=float(np.diagonal(attention, axis1=1, axis2=2).mean()),
        attended=float(np.exp(entropy).mean()),
        near_cosine=float(near.mean()) if near.size else None,
        far_cosine=float(far.mean()) if far.size else None,
    )


def _reading(product: ProductInside) -> Reading | None:
    """None where fewer than four fifths of the images have a long axis, or where all lie alike."""
    turned = [token for token in product.tokens if token.angle is not None]
    if len(turned) < max(FEWEST, 0.8 * len(product.tokens)):
        return None
    doubled = 2 * np.array([token.angle for token in turned], np.float64)
    targets = np.stack([np.cos(doubled), np.sin(doubled)], axis=1)
    if targets.var(axis=0).sum() < 0.05:
        return None
    vectors = np.stack([token.vector for token in turned])
    pooled = np.stack([token.pooled for token in turned])
    return Reading(
        len(turned),
        ridge_r2(vectors, targets),
        neighbours_r2(vectors, targets),
        ridge_r2(pooled, targets),
        neighbours_r2(pooled, targets),
    )
