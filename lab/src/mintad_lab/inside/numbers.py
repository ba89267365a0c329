"""The numbers of a look inside, per product, as they go into `inside.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mintad_lab.inside.gather import Gathered, ProductInside
from mintad_lab.inside.posture import ELONGATED
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
class ProductNumbers:
    """What is measured on one product; None where it is not defined.

    `explained_good` and `explained_defect` are the shares of the features' variance about the
    product's mean that are rebuilt, on good images and inside defects. `own_attention` is the
    attention that a query pays to itself, `attended` the number of positions that it attends to
    (the exponential of the entropy), `near_cosine` and `far_cosine` the mean cosine of queries
    side by side and of all others.
    """

    explained_good: float | None
    explained_defect: float | None
    own_attention: float | None
    attended: float | None
    near_cosine: float | None
    far_cosine: float | None
    subclasses: Subclasses | None
    posture: Reading | None


def product_numbers(inside: ProductInside, grid: tuple[int, int]) -> ProductNumbers:
    """Everything that is measured on one product."""
    good = stacked(inside.good)
    mean = None if good is None else good.mean(axis=0, dtype=np.float64)
    defect = stacked(inside.defect)
    tokens = stacked([token[None] for token in inside.tokens])
    queries = _query_numbers(inside, grid)
    return ProductNumbers(
        None if good is None or mean is None else _explained(good, inside.good_rebuilt, mean),
        None if defect is None or mean is None else _explained(defect, inside.defect_rebuilt, mean),
        *queries,
        subclasses=None if tokens is None else subclasses(tokens),
        posture=_reading(inside),
    )


def confusion(gathered: Gathered) -> NDArray[np.int64] | None:
    """True products by recognised ones `(K, K)`; None where no product is recognised."""
    if gathered.anatomy.recogniser is None:
        return None
    counts = np.zeros((len(gathered.products), len(gathered.products)), np.int64)
    for inside in gathered.inside:
        row = gathered.products.index(inside.name)
        np.add.at(counts[row], np.array(inside.recognised, np.intp), 1)
    return counts


def to_json(
    gathered: Gathered,
    numbers: dict[str, ProductNumbers],
    counts: NDArray[np.int64] | None,
    about: dict[str, Any],
) -> dict[str, Any]:
    """The content of `inside.json`."""
    parts = gathered.anatomy
    return {
        **about,
        "method": parts.method,
        "rebuilding": parts.rebuilding,
        "tokens": parts.tokens,
        "queries": parts.queries,
        "recogniser": parts.recogniser,
        "missing": list(parts.missing),
        "measured_on": gathered.measured_on,
        "product_silhouette": product_silhouette(gathered),
        "products": {
            inside.name: {
                "good_images": inside.good_images,
                "defective_images": inside.defective_images,
                "token_images": len(inside.tokens),
                **_plain(numbers[inside.name]),
            }
            for inside in gathered.inside
        },
        "confusion": None
        if counts is None
        else {
            "products": list(gathered.products),
            "counts": counts.tolist(),
            "accuracy": float(np.trace(counts) / max(counts.sum(), 1)),
        },
    }


def product_silhouette(gathered: Gathered) -> float | None:
    """How far the products' tokens stand apart: the silhouette with the products as clusters."""
    held = [inside for inside in gathered.inside if len(inside.tokens) > 1]
    if len(held) < 2:
        return None
    tokens = np.stack([token for inside in held for token in inside.tokens])
    labels = np.repeat(np.arange(len(held)), [len(inside.tokens) for inside in held])
    return silhouette(tokens, labels)


def stacked(parts: list[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """All rows `(N, C)` of the parts; None where there are none."""
    return np.concatenate(parts) if sum(map(len, parts)) else None


def _explained(
    original: NDArray[np.float32], rebuilt: list[NDArray[np.float32]], mean: NDArray[np.float64]
) -> float:
    return explained(original, np.concatenate(rebuilt), mean)


def _query_numbers(
    inside: ProductInside, grid: tuple[int, int]
) -> tuple[float | None, float | None, float | None, float | None]:
    if not inside.cosine:
        return None, None, None, None
    attention = np.stack(inside.attention).astype(np.float64)  # (N, P, P)
    entropy = -(attention * np.log(np.maximum(attention, 1e-30))).sum(axis=2)
    cosine = np.mean(inside.cosine, axis=0)
    y, x = (part.ravel() for part in np.indices(grid))
    steps = np.abs(y[:, None] - y) + np.abs(x[:, None] - x)
    far = cosine[steps > 1]
    return (
        float(np.diagonal(attention, axis1=1, axis2=2).mean()),
        float(np.exp(entropy).mean()),
        float(cosine[steps == 1].mean()) if (steps == 1).any() else None,
        float(far.mean()) if far.size else None,
    )


def _reading(inside: ProductInside) -> Reading | None:
    """None where fewer than four fifths of the images have a long axis, or where all lie alike."""
    long = {
        row: found.angle
        for row, found in enumerate(inside.postures)
        if found is not None and found.elongation >= ELONGATED
    }
    if len(long) < max(FEWEST, 0.8 * len(inside.postures)):
        return None
    angles = np.array(list(long.values()))
    targets = np.stack([np.cos(2 * angles), np.sin(2 * angles)], axis=1)
    if targets.var(axis=0).sum() < 0.05:
        return None
    tokens = np.stack([inside.tokens[row] for row in long])
    pooled = np.stack([inside.pooled[row] for row in long])
    return Reading(
        len(long),
        ridge_r2(tokens, targets),
        neighbours_r2(tokens, targets),
        ridge_r2(pooled, targets),
        neighbours_r2(pooled, targets),
    )


def _plain(numbers: ProductNumbers) -> dict[str, Any]:
    plain = asdict(numbers)
    if numbers.subclasses is not None:
        sizes = np.bincount(numbers.subclasses.labels)
        del plain["subclasses"]["labels"]
        plain["subclasses"]["sizes"] = sorted(sizes.tolist(), reverse=True)
    return plain
