"""The closed form: what is normal for a product at a position is a mean and a few directions.

MINT-AD's prior says that a token, given product and position, is Gaussian; with a diagonal
covariance that is too poor to tell defects from variation. Here the covariance is low-rank plus
a multiple of the identity, in channels scaled per product, and it is found in one pass over the
features rather than by gradient steps.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

MOST_IMAGES = 1000
"""Directions are found from at most this many images of a product, evenly chosen."""


class ProductSubspaces(nn.Module):
    """Mean, scale and principal directions per product and position.

    For product k and position i: `x = (f - mean_ki) / scale_k`, and what the directions `V_ki`
    cannot explain, `x - V_ki V_ki^T x`, is anomalous. `scale_k` is each channel's deviation from
    its position's mean, pooled over positions: where a position hardly varies a small change
    must not count as a large one. The directions are kept in 8 bits with one step per
    direction: `P * C * rank` bytes per product.
    """

    mean: Tensor
    scale: Tensor
    directions: Tensor
    step: Tensor

    def __init__(self, products: int, positions: int, channels: int, rank: int) -> None:
        super().__init__()
        self.rank = rank
        self.register_buffer(
            "mean", torch.zeros(products, positions, channels, dtype=torch.float16)
        )
        self.register_buffer("scale", torch.ones(products, channels))
        self.register_buffer(
            "directions", torch.zeros(products, positions, channels, rank, dtype=torch.int8)
        )
        self.register_buffer("step", torch.zeros(products, positions, rank))

    @torch.no_grad()
    def fit(self, product: int, tokens: Iterable[Tensor]) -> None:
        """Fits one product to all tokens `(B, P, C)` of its good images."""
        rows = torch.cat([batch.half() for batch in tokens])
        x = rows[_evenly(len(rows), MOST_IMAGES)].float()  # (N, P, C)
        mean = x.mean(dim=0)
        x -= mean
        scale = x.square().mean(dim=(0, 1)).sqrt()
        scale = scale.clamp_min(1e-3 * float(scale.max()) or 1.0)
        x = (x / scale).transpose(0, 1)  # (P, N, C)
        self.mean[product] = mean.half()
        self.scale[product] = scale
        rank = max(0, min(self.rank, x.shape[1] - 2, x.shape[2]))
        if rank:
            found = _principal_directions(x, rank)  # (P, C, rank)
            step = found.abs().amax(dim=1) / 127  # (P, rank)
            self.directions[product, :, :, :rank] = (found / step[:, None]).round().to(torch.int8)
            self.step[product, :, :rank] = step

    def normalised(self, tokens: Tensor, products: Tensor) -> Tensor:
        """Tokens `(B, P, C)` as deviations from the mean of their product and position."""
        return (tokens - self.mean[products].float()) / self.scale[products][:, None]

    def residual(self, deviations: Tensor, products: Tensor) -> Tensor:
        """The part of the deviations `(B, P, C)` that the directions do not explain."""
        directions = self.directions[products].float()  # (B, P, C, rank)
        weights = torch.einsum("bpc,bpcr->bpr", deviations, directions)
        weights = weights * self.step[products].square()
        return deviations - torch.einsum("bpr,bpcr->bpc", weights, directions)


def _principal_directions(x: Tensor, rank: int) -> Tensor:
    """The leading right singular vectors `(P, C, rank)` of centred `x` `(P, N, C)`."""
    _, images, channels = x.shape
    found = []
    for part in x.split(16):
        if images <= channels:
            values, left = torch.linalg.eigh(part @ part.transpose(1, 2))  # (p, N), (p, N, N)
            kept = values[:, -rank:].clamp_min(1e-6 * float(values.max())).sqrt()
            found.append(part.transpose(1, 2) @ (left[:, :, -rank:] / kept[:, None]))
        else:
            found.append(torch.linalg.eigh(part.transpose(1, 2) @ part)[1][:, :, -rank:])
    return torch.cat(found).flip(2)


def _evenly(count: int, most: int) -> Tensor:
    return torch.linspace(0, count - 1, min(count, most)).round().long()
