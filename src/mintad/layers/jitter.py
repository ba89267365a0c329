"""Noise on the input of a reconstruction, so that copying it is not a solution."""

from __future__ import annotations

import torch
from torch import Tensor


def jitter(tokens: Tensor, ratio: float, probability: float = 1.0) -> Tensor:
    """Feature jitter: `f + e * ratio * |f| / sqrt(C)` per position, `e` standard normal.

    UniAD writes the factor as `alpha / C`, which makes the ratio of noise to signal
    `alpha / sqrt(C)`: 1.21 with its alpha of 20 at 272 channels. Stated as the ratio itself,
    the difficulty stays the same on every backbone. With `probability` an image is jittered.
    """
    scale = tokens.norm(dim=2, keepdim=True) * (ratio / tokens.shape[2] ** 0.5)  # (B, P, 1)
    if probability < 1.0:
        chosen = torch.rand(len(tokens), 1, 1, device=tokens.device) < probability
        scale = scale * chosen
    return tokens + torch.randn_like(tokens) * scale
