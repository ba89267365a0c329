"""Noise on the input of a reconstruction, so that copying it is not a solution."""

from __future__ import annotations

import torch
from torch import Tensor


def jitter(
    tokens: Tensor, ratio: float, probability: float = 1.0, seeds: Tensor | None = None
) -> Tensor:
    """Feature jitter: `f + e * ratio * |f| / sqrt(C)` per position, `e` standard normal.

    UniAD writes the factor as `alpha / C`, which makes the ratio of noise to signal
    `alpha / sqrt(C)`: 1.21 with its alpha of 20 at 272 channels. Stated as the ratio itself,
    the difficulty stays the same on every backbone. With `probability` an image is jittered.
    With `seeds` `int64 (B,)` the noise of an image depends on its seed alone, and not on which
    images share its batch or on which process it is in.
    """
    count, positions, channels = tokens.shape
    scale = tokens.norm(dim=2, keepdim=True) * (ratio / channels**0.5)  # (B, P, 1)
    if seeds is None:
        draws = torch.rand(count, 1, 1, device=tokens.device)
        noise = torch.randn_like(tokens)
    else:
        device, kind = tokens.device, tokens.dtype
        own = [torch.Generator(device).manual_seed(seed) for seed in seeds.tolist()]
        draws = torch.stack([torch.rand(1, 1, generator=source, device=device) for source in own])
        noise = torch.stack(
            [
                torch.randn(positions, channels, generator=source, device=device, dtype=kind)
                for source in own
            ]
        )
    return tokens + noise * (scale * (draws < probability))
