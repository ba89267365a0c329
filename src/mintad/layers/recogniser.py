"""Recognises the product from the mean of the tokens over positions, in closed form."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class ProductRecogniser(nn.Module):
    """Linear discriminant analysis of pooled tokens with one shared, shrunken covariance."""

    weight: Tensor
    bias: Tensor

    def __init__(self, products: int, channels: int, shrinkage: float = 0.1) -> None:
        super().__init__()
        self.shrinkage = shrinkage
        self.register_buffer("weight", torch.zeros(products, channels))
        self.register_buffer("bias", torch.zeros(products))

    @torch.no_grad()
    def fit(self, pooled: Iterable[Tensor]) -> None:
        """Fits to the pooled tokens `(N_k, C)` of each product, in the order of their numbers."""
        groups = [group.double() for group in pooled]
        means = torch.stack([group.mean(dim=0) for group in groups])  # (K, C)
        within = torch.cat([group - mean for group, mean in zip(groups, means, strict=True)])
        covariance = within.T @ within / max(len(within) - len(groups), 1)
        ridge = float(covariance.diagonal().mean()) or 1.0
        covariance = (1 - self.shrinkage) * covariance
        covariance.diagonal().add_(self.shrinkage * ridge)
        weight = torch.linalg.solve(covariance, means.T).T
        self.weight.copy_(weight)
        self.bias.copy_(-0.5 * (weight * means).sum(dim=1))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens `(B, P, C)` to logits `(B, K)`."""
        return tokens.mean(dim=1) @ self.weight.T + self.bias
