"""Features as rows of one shape, as the cache keeps them; the only place that knows how.

Tokens are rows as they are, `(B, P, C)`. Anything else is one row an image, `(B, 1, F)`: the image,
where there is one, and then every stage, all flattened.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mintad.features import Features, FeatureShape


def row_shape(shape: FeatureShape) -> tuple[int, int]:
    """The shape of an image's rows: (P, C) or (1, F)."""
    if shape.kind == "tokens":
        return shape.positions, shape.channels
    return 1, sum(math.prod(part) for part in _parts(shape))


def pack(features: Features) -> Tensor:
    """The rows of a batch: `(B, P, C)` or `(B, 1, F)`."""
    if features.kind == "tokens":
        return features.tokens
    image = () if features.image is None else (features.image,)
    return torch.cat([part.flatten(1) for part in (*image, *features.stages)], dim=1)[:, None]


def unpack(rows: Tensor, shape: FeatureShape) -> Features:
    """What `pack` made these rows of."""
    if shape.kind == "tokens":
        return Features(tokens=rows)
    sizes = _parts(shape)
    flat = torch.split(rows.flatten(1), [math.prod(size) for size in sizes], dim=1)
    parts = [part.reshape(-1, *size) for part, size in zip(flat, sizes, strict=True)]
    return Features(stages=parts[1:], image=parts[0]) if shape.image else Features(stages=parts)


def _parts(shape: FeatureShape) -> list[tuple[int, int, int]]:
    """The shapes (channels, rows, columns) of what a row holds, in its order."""
    stages = [
        (channels, *grid) for channels, grid in zip(shape.stage_channels, shape.grids, strict=True)
    ]
    return [(3, *shape.image_size), *stages] if shape.image else stages
