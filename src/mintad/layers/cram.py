"""Central residual aggregation: features seen through their residuals to centres (SNL's CRAM)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

CramKind = Literal["mix", "gate"]


def soft_assignment(tokens: Tensor, centres: Tensor, smoothing: Tensor) -> Tensor:
    """`a (B, N, K)`, `a_ik = softmax_k(-s_k |x_i - c_k|^2)`.

    `tokens` is `(B, N, C)`, `centres` `(K, C)`, `smoothing` `(K,)`, positive.
    """
    product = tokens @ centres.T  # (B, N, K)
    squares = tokens.square().sum(dim=2, keepdim=True) - 2 * product + centres.square().sum(dim=1)
    return (-smoothing * squares).softmax(dim=2)


def position_residuals(tokens: Tensor, centres: Tensor, assignment: Tensor) -> Tensor:
    """`(B, N, C)`: `sum_k a_ik (x_i - c_k)`, which is `x_i - sum_k a_ik c_k`."""
    return tokens - assignment @ centres


def centre_residuals(tokens: Tensor, centres: Tensor, assignment: Tensor) -> Tensor:
    """`e (B, K, C)`: `e_k = sum_i a_ik (x_i - c_k)`, what the whole image leaves at a centre."""
    mass = assignment.sum(dim=1)[..., None]  # (B, K, 1)
    return assignment.transpose(1, 2) @ tokens - mass * centres


class Cram(nn.Module):
    """K centres of normality, and how the features are changed by their residuals to them.

    "mix" moves each position towards its centres: `x_i - g sum_k a_ik r_ik`, with a learned g in
    0 to 1 per channel, one half at the start. "gate" looks at the image as a whole: the residuals
    of each centre, averaged over positions and normalised, set a factor in 0 to 1 per channel.
    """

    def __init__(self, channels: int, centres: int, kind: CramKind) -> None:
        super().__init__()
        self.kind = kind
        self.centres = nn.Parameter(torch.randn(centres, channels))
        # distances grow with the channels: s_k begins at one over their number
        self.log_smoothing = nn.Parameter(torch.full((centres,), -math.log(channels)))
        if kind == "mix":
            self.mixing = nn.Parameter(torch.zeros(channels))
        else:
            self.norm = nn.LayerNorm(channels)
            self.gate = nn.Linear(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same shape."""
        tokens = features.flatten(2).transpose(1, 2)  # (B, N, C)
        assignment = soft_assignment(tokens, self.centres, self.log_smoothing.exp())
        if self.kind == "mix":
            residuals = position_residuals(tokens, self.centres, assignment)
            mixed = tokens - self.mixing.sigmoid() * residuals
            return mixed.transpose(1, 2).reshape(features.shape)
        residuals = centre_residuals(tokens, self.centres, assignment) / tokens.shape[1]
        encoding = self.norm(residuals).relu().mean(dim=1)  # (B, C)
        return features * self.gate(encoding).sigmoid()[..., None, None]
