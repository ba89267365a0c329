"""Multi-head attention with the position embedding on queries and keys, never on values."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Scaled dot-product attention with separate query, key and value projections.

    `zero_init` starts the output projection at zero, so that a residual branch begins as nothing.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0, zero_init: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        for layer in (self.query, self.key, self.value):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.out.bias)
        if zero_init:
            nn.init.zeros_(self.out.weight)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, blocked: Tensor | None = None
    ) -> Tensor:
        """`query` `(B, P, D)` attends to `key` and `value` `(B, M, D)`.

        `blocked` is `bool (P, M)`, True where a query may not look.
        """
        q = self._split(self.query(query))  # (B, heads, P, D / heads)
        k = self._split(self.key(key))
        v = self._split(self.value(value))
        if self.training and q.device.type == "cpu":
            seen = plain_attention(q, k, v, blocked, self.dropout)
        else:
            seen = F.scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=None if blocked is None else ~blocked,
                dropout_p=self.dropout if self.training else 0.0,
            )
        return self.out(seen.transpose(1, 2).flatten(2))  # (B, P, D)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (B, heads, P, D / heads)


def plain_attention(
    query: Tensor, key: Tensor, value: Tensor, blocked: Tensor | None, dropout: float
) -> Tensor:
    """Attention `(B, heads, P, d)` by two products and a softmax, in the precision of its inputs.

    On a CPU the backward pass of torch's fused attention takes about three times as long at
    these sizes; the `(P, P)` weights that fusing would save are small.
    """
    with torch.autocast(query.device.type, enabled=False):
        scores = (query * query.shape[3] ** -0.5) @ key.transpose(2, 3)  # (B, heads, P, M)
        if blocked is not None:
            scores = scores.masked_fill(blocked, float("-inf"))
        weights = F.dropout(scores.softmax(dim=3), dropout)
        return weights @ value


def neighbour_mask(grid: tuple[int, int], window: tuple[int, int] = (7, 7)) -> Tensor:
    """`bool (P, P)`, True where a position may not look: the window around itself (UniAD).

    A position whose window covers the whole grid may look everywhere: attention over nothing has
    no value.
    """
    rows, columns = (
        torch.arange(size).repeat_interleave(repeat).repeat(tile)
        for size, repeat, tile in ((grid[0], grid[1], 1), (grid[1], 1, grid[0]))
    )
    near_row = (rows[:, None] - rows[None, :]).abs() <= window[0] // 2  # (P, P)
    near_column = (columns[:, None] - columns[None, :]).abs() <= window[1] // 2
    near = near_row & near_column
    return near & ~near.all(dim=1, keepdim=True)
