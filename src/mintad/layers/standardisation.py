"""Channels brought to mean zero and deviation one, by what the training images have."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Standardisation(nn.Module):
    """Mean and deviation of each channel over images and positions; the identity until `fit`."""

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    @torch.no_grad()
    def fit(self, batches: Iterable[Tensor]) -> None:
        """One pass over tokens `(B, P, C)`."""
        count = 0
        total = torch.zeros(len(self.mean), dtype=torch.float64)
        squares = torch.zeros_like(total)
        for tokens in batches:
            flat = tokens.flatten(0, 1).double()  # (B * P, C)
            count += len(flat)
            total += flat.sum(dim=0)
            squares += flat.square().sum(dim=0)
        mean = total / count
        self.mean.copy_(mean)
        self.scale.copy_((squares / count - mean.square()).clamp_min(1e-8).sqrt())

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens `(B, P, C)` to the same, standardised."""
        return (tokens - self.mean) / self.scale
