"""Gaussian smoothing of anomaly maps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def smooth(maps: Tensor, sigma: float) -> Tensor:
    """Maps `(B, h, w)` smoothed by a Gaussian of `sigma` pixels, cut off at 4 sigma; 0: as is.

    Beyond its edges a map goes on with the value at the edge.
    """
    if sigma <= 0:
        return maps
    reach = max(1, round(4 * sigma))
    place = torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype)
    kernel = (-0.5 * (place / sigma).square()).exp()
    kernel = kernel / kernel.sum()
    padded = F.pad(maps[:, None], (reach, reach, reach, reach), mode="replicate")
    columns = F.conv2d(padded, kernel.view(1, 1, -1, 1))
    return F.conv2d(columns, kernel.view(1, 1, 1, -1))[:, 0]
