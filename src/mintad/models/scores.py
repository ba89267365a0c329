"""From an anomaly map to an image score."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

ImageScore = Literal["max", "pooled-max", "top-k", "top-cells", "mean"]

TOP_PIXELS = 0.01
TOP_CELLS = 0.015


def image_score(anomaly_map: Tensor, kind: ImageScore, grid_map: Tensor | None = None) -> Tensor:
    """Scores `(B,)` of maps `(B, h, w)`.

    `max` is MINT-AD's (eq. 7), `pooled-max` UniAD's maximum over a 16x16 average pooling of
    stride 1, `mean` UniAD's on CIFAR-10, `top-k` the mean of the highest 1% of the map, and
    `top-cells` that of the highest 1.5% of the cells of `grid_map` `(B, P)`, the map before it
    was enlarged (3 cells of 14x14); where a method has no such map its pixels are the cells.
    """
    if kind == "pooled-max":
        window = [min(16, size) for size in anomaly_map.shape[1:]]
        return F.avg_pool2d(anomaly_map[:, None], window, stride=1).amax(dim=(1, 2, 3))
    flat = anomaly_map.flatten(1)  # (B, h * w)
    if kind == "mean":
        return flat.mean(dim=1)
    if kind == "top-k":
        return _mean_of_highest(flat, TOP_PIXELS)
    if kind == "top-cells":
        return _mean_of_highest(flat if grid_map is None else grid_map, TOP_CELLS)
    return flat.amax(dim=1)


def _mean_of_highest(values: Tensor, share: float) -> Tensor:
    count = max(1, round(values.shape[1] * share))
    return torch.topk(values, count, dim=1).values.mean(dim=1)
