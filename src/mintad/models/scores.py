"""From an anomaly map to an image score."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

ImageScore = Literal["max", "pooled-max", "top-k", "mean"]


def image_score(anomaly_map: Tensor, kind: ImageScore, top_share: float = 0.01) -> Tensor:
    """Scores `(B,)` of maps `(B, h, w)`.

    `max` is MINT-AD's (eq. 7), `pooled-max` UniAD's maximum over a 16x16 average pooling of
    stride 1, `mean` UniAD's on CIFAR-10, `top-k` the mean of the highest `top_share` of the map.
    """
    if kind == "pooled-max":
        window = [min(16, size) for size in anomaly_map.shape[1:]]
        return F.avg_pool2d(anomaly_map[:, None], window, stride=1).amax(dim=(1, 2, 3))
    flat = anomaly_map.flatten(1)  # (B, h * w)
    if kind == "mean":
        return flat.mean(dim=1)
    if kind == "top-k":
        count = max(1, round(flat.shape[1] * top_share))
        return torch.topk(flat, count, dim=1).values.mean(dim=1)
    return flat.amax(dim=1)
