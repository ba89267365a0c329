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

    For product k and position i: `x = w (f - mean_ki) / scale_k`, and what the directions
    cannot explain, `x - U_k V_ki V_ki^T U_k^T x`, is anomalous. `scale_k` is each channel's
    deviation from its position's mean, pooled over positions: where a position hardly varies a
    small change must not count as a large one. `w` weighs the channels. `U_k`, `(C, code)`, is
    an orthonormal basis that a product's positions share, and `V_ki`, `(code, rank)`, is kept in
    8 bits with one step per direction: `P * code * rank` bytes per product.
    """

    weights: Tensor
    mean: Tensor
    scale: Tensor
    basis: Tensor
    directions: Tensor
    step: Tensor

    def __init__(
        self, products: int, positions: int, weights: Tensor, rank: int, code: int
    ) -> None:
        super().__init__()
        channels = len(weights)
        self.rank = rank
        self.code = min(code, channels)
        shape = (products, positions)
        self.register_buffer("weights", weights, persistent=False)
        self.register_buffer("mean", torch.zeros(*shape, channels, dtype=torch.float16))
        self.register_buffer("scale", torch.ones(products, channels))
        self.register_buffer(
            "basis", torch.zeros(products, channels, self.code, dtype=torch.float16)
        )
        self.register_buffer("directions", torch.zeros(*shape, self.code, rank, dtype=torch.int8))
        self.register_buffer("step", torch.zeros(*shape, rank))

    def like(self, products: int) -> ProductSubspaces:
        """Empty subspaces of the same sizes for another number of products."""
        positions = self.mean.shape[1]
        return ProductSubspaces(products, positions, self.weights, self.rank, self.code)

    @torch.no_grad()
    def fit(self, product: int, tokens: Iterable[Tensor]) -> None:
        """Fits one product to all tokens `(B, P, C)` of its good images."""
        rows = torch.cat([batch.half() for batch in tokens])
        x = rows[_evenly(len(rows), MOST_IMAGES)].float()  # (N, P, C)
        mean = x.mean(dim=0)
        x -= mean
        scale = x.square().mean(dim=(0, 1)).sqrt()
        scale = scale.clamp_min(1e-3 * float(scale.max()) or 1.0) / self.weights
        x /= scale
        self.mean[product] = mean.half()
        self.scale[product] = scale
        rank = max(0, min(self.rank, len(x) - 2, self.code))
        if rank == 0:
            return
        flat = x.flatten(0, 1)  # (N * P, C)
        basis = torch.linalg.eigh(flat.T @ flat)[1][:, -self.code :]  # (C, code)
        basis = basis.half().float()
        code = (x @ basis).transpose(0, 1)  # (P, N, code)
        leading = leading_directions(code.transpose(1, 2) @ code, rank)  # (P, code, rank)
        step = leading.abs().amax(dim=1) / 127  # (P, rank)
        self.basis[product] = basis.half()
        self.directions[product, :, :, :rank] = (leading / step[:, None]).round().to(torch.int8)
        self.step[product, :, :rank] = step

    def normalised(self, tokens: Tensor, products: Tensor) -> Tensor:
        """Tokens `(B, P, C)` as deviations from the mean of their product and position."""
        mean = self.mean.index_select(0, products).float()  # (B, P, C)
        return (tokens - mean) / self.scale.index_select(0, products)[:, None]

    def residual(self, deviations: Tensor, products: Tensor) -> Tensor:
        """The part of the deviations `(B, P, C)` that the directions do not explain.

        Images of one product are taken together, so that its directions are read once; a graph
        cannot, and reads them for every image.
        """
        if torch.compiler.is_exporting():
            return self._gathered_residual(deviations, products)
        left = torch.empty_like(deviations)
        for product in sorted(set(products.tolist())):
            rows = products == product
            left[rows] = self._residual_of(deviations[rows], product)
        return left

    def _residual_of(self, deviations: Tensor, product: int) -> Tensor:
        basis = self.basis[product].to(deviations.dtype)  # (C, code)
        directions = self.directions[product].to(deviations.dtype)  # (P, code, rank)
        code = (deviations @ basis).transpose(0, 1)  # (P, B, code)
        weights = (code @ directions) * self.step[product].square()[:, None]  # (P, B, rank)
        explained = (weights @ directions.transpose(1, 2)).transpose(0, 1)  # (B, P, code)
        return deviations - explained @ basis.T

    def _gathered_residual(self, deviations: Tensor, products: Tensor) -> Tensor:
        basis = self.basis.index_select(0, products).float()  # (B, C, code)
        directions = self.directions.index_select(0, products).float()  # (B, P, code, rank)
        squares = self.step.square().index_select(0, products)[:, :, None]  # (B, P, 1, rank)
        code = (deviations @ basis)[:, :, None]  # (B, P, 1, code)
        weights = (code @ directions) * squares  # (B, P, 1, rank)
        explained = (weights @ directions.transpose(2, 3)).squeeze(2)  # (B, P, code)
        return deviations - explained @ basis.transpose(1, 2)


def channel_weights(stage_channels: Iterable[int], balance: float) -> Tensor:
    """`(C,)`: each stage's channels times `channels ** -balance`, so that many do not drown few.

    0 leaves the channels alone, 0.5 gives every stage the same share; the mean square is one.
    """
    weights = torch.cat(
        [torch.full((count,), float(count) ** -balance) for count in stage_channels]
    )
    return weights / weights.square().mean().sqrt()


def leading_directions(moments: Tensor, rank: int, rounds: int = 6) -> Tensor:
    """The leading eigenvectors `(P, C, rank)`, largest first, of `moments` `(P, C, C)`.

    Block power iteration with a few directions to spare, orthonormalised by Cholesky, and a
    Rayleigh-Ritz step at the end: for many small matrices far faster than their whole spectrum.
    """
    _, channels, _ = moments.shape
    width = min(channels, rank + 16)
    if 2 * width >= channels:
        return torch.linalg.eigh(moments)[1][:, :, -rank:].flip(2)
    start = torch.randn(channels, width, generator=torch.Generator().manual_seed(0))
    block = _orthonormal(moments @ start.to(moments))
    for _ in range(rounds):
        block = _orthonormal(moments @ block)
    small = block.transpose(1, 2) @ moments @ block  # (P, width, width)
    turn = torch.linalg.eigh(small)[1][:, :, -rank:].flip(2)
    return block @ turn


def _orthonormal(block: Tensor) -> Tensor:
    """An orthonormal basis `(P, C, width)` of the columns of `block`; twice makes up rounding.

    Where the columns span less than their number the surplus ones come out near zero.
    """
    eye = torch.eye(block.shape[2], dtype=torch.float64)
    for _ in range(2):
        gram = (block.transpose(1, 2) @ block).double()  # (P, width, width)
        size = gram.diagonal(dim1=1, dim2=2).clamp_min(1e-30).rsqrt()
        gram = gram * size[:, :, None] * size[:, None, :] + 1e-5 * eye
        factor = torch.linalg.cholesky(gram)
        turn = torch.linalg.solve_triangular(factor, eye.expand_as(factor), upper=False)
        block = block @ (turn * size[:, None, :]).transpose(1, 2).to(block)
    return block


def _evenly(count: int, most: int) -> Tensor:
    return torch.linspace(0, count - 1, min(count, most)).round().long()
