"""Features as rows of one shape, as the cache keeps them; the only place that knows how.

Tokens alone are rows as they are, `(B, P, C)`. Anything else is one row an image, `(B, 1, F)`: the
image, where there is one, and then the tokens or every stage, all flattened.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mintad.features import Features, FeatureShape


def row_shape(shape: FeatureShape) -> tuple[int, int]:
    """The shape of an image's rows: (P, C) or (1, F)."""
    if _is_tokens_alone(shape):
        return shape.positions, shape.channels
    return 1, sum(math.prod(part) for part in _parts(shape))


def pack(features: Features) -> Tensor:
    """The rows of a batch: `(B, P, C)` or `(B, 1, F)`."""
    if features.kind == "tokens" and features.image is None:
        return features.tokens
    parts = [] if features.image is None else [features.image]
    parts += [features.tokens] if features.kind == "tokens" else features.stages
    return torch.cat([part.flatten(1) for part in parts], dim=1)[:, None]


def unpack(rows: Tensor, shape: FeatureShape) -> Features:
    """What `pack` made these rows of."""
    if _is_tokens_alone(shape):
        return Features(tokens=rows)
    sizes = _parts(shape)
    flat = torch.split(rows.flatten(1), [math.prod(size) for size in sizes], dim=1)
    parts = [part.reshape(-1, *size) for part, size in zip(flat, sizes, strict=True)]
    image = parts.pop(0) if shape.image else None
    if shape.kind == "tokens":
        return Features(tokens=parts[0], image=image)
    return Features(stages=parts, image=image)


def _is_tokens_alone(shape: FeatureShape) -> bool:
    return shape.kind == "tokens" and not shape.image


def _parts(shape: FeatureShape) -> list[tuple[int, ...]]:
    """The shapes of what a row holds, in its order."""
    parts: list[tuple[int, ...]] = [(3, *shape.image_size)] if shape.image else []
    if shape.kind == "tokens":
        return [*parts, (shape.positions, shape.channels)]
    stages = zip(shape.stage_channels, shape.grids, strict=True)
    return [*parts, *((channels, *grid) for channels, grid in stages)]
