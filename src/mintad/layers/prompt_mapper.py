"""From the adapted features of an image to its class token (MINT-AD, Table 12)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

TokenActivation = Literal["layernorm", "softmax"]


def _activation(kind: TokenActivation, size: int) -> nn.Module:
    return nn.Softmax(dim=-1) if kind == "softmax" else nn.LayerNorm(size)


class PromptMapper(nn.Module):
    """Class encoder along positions, then channel encoder: a fine-grained token per image.

    Both encoders end with a softmax in the paper's table, with a LayerNorm where
    `activation="layernorm"`. It reads a fixed number of positions.
    """

    def __init__(
        self,
        positions: int,
        dim: int = 256,
        hidden: int = 256,
        token_dim: int = 32,
        activation: TokenActivation = "softmax",
    ) -> None:
        super().__init__()
        self.class_encoder = nn.Sequential(
            nn.Linear(positions, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, token_dim),
            _activation(activation, token_dim),
        )
        self.channel_encoder = nn.Sequential(
            nn.Linear(dim * token_dim, hidden),
            nn.LeakyReLU(),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(),
            nn.Linear(hidden, token_dim),
            _activation(activation, token_dim),
        )

    def forward(self, adapted: Tensor) -> Tensor:
        """Adapted features `(B, P, D)` to class tokens `(B, T)`."""
        per_channel = self.class_encoder(adapted.transpose(1, 2))  # (B, D, T)
        return self.channel_encoder(per_channel.flatten(1))  # (B, T)


class PooledPromptMapper(nn.Module):
    """The token from the mean and the deviation over positions: any grid, fewer parameters."""

    def __init__(
        self,
        dim: int = 256,
        hidden: int = 256,
        token_dim: int = 32,
        activation: TokenActivation = "layernorm",
    ) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(2 * dim, hidden),
            nn.LeakyReLU(),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(),
            nn.Linear(hidden, token_dim),
            _activation(activation, token_dim),
        )

    def forward(self, adapted: Tensor) -> Tensor:
        """Adapted features `(B, P, D)` to class tokens `(B, T)`."""
        mean = adapted.mean(dim=1)
        spread = (adapted - mean[:, None]).square().mean(dim=1).add(1e-6).sqrt()
        return self.encoder(torch.cat((mean, spread), dim=1))  # (B, T)
