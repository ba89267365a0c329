"""Where a token is: learned tables, and the coordinates that the INR reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LearnedPosition(nn.Module):
    """A row and a column table of `dim / 2` channels each, U[0, 1], concatenated (UniAD)."""

    def __init__(self, grid: tuple[int, int], dim: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.rand(grid[0], dim // 2))
        self.columns = nn.Parameter(torch.rand(grid[1], dim - dim // 2))

    def forward(self) -> Tensor:
        """`(P, D)`, row-major."""
        height, width = self.rows.shape[0], self.columns.shape[0]
        rows = self.rows[:, None, :].expand(height, width, -1)
        columns = self.columns[None, :, :].expand(height, width, -1)
        return torch.cat((columns, rows), dim=-1).flatten(0, 1)  # (P, D)


def coordinates(grid: tuple[int, int]) -> Tensor:
    """`(P, 3)`: x and y of each position in [-1, 1], and one free value that starts at zero."""
    ys, xs = (torch.linspace(-1, 1, size) if size > 1 else torch.zeros(1) for size in grid)
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack((x, y, torch.zeros_like(x)), dim=-1).flatten(0, 1)  # (P, 3)
