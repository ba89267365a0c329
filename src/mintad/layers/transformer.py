"""The reconstruction transformer of UniAD and MINT-AD (MINT-AD, Table 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from mintad.layers.attention import Attention

Norm = Literal["post", "pre"]


class FeedForward(nn.Module):
    """Linear, ReLU, dropout, Linear: `(B, P, D)` to `(B, P, D)`."""

    def __init__(self, dim: int, hidden: int, dropout: float, zero_init: bool) -> None:
        super().__init__()
        self.inner = nn.Linear(dim, hidden)
        self.outer = nn.Linear(hidden, dim)
        self.dropout = nn.Dropout(dropout)
        if zero_init:
            nn.init.zeros_(self.outer.weight)
            nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, P, D)` to `(B, P, D)`."""
        return self.outer(self.dropout(self.inner(x).relu()))


class Residual(nn.Module):
    """A residual branch with its LayerNorm behind (post, as in the papers) or before it (pre)."""

    def __init__(self, dim: int, dropout: float, norm: Norm) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.post = norm == "post"

    def forward(self, x: Tensor, branch: Callable[[Tensor], Tensor]) -> Tensor:
        """The sum of `x` `(B, P, D)` and what the branch makes of it."""
        if self.post:
            return self.norm(x + self.dropout(branch(x)))
        return x + self.dropout(branch(self.norm(x)))


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward."""

    def __init__(
        self, dim: int, heads: int, hidden: int, dropout: float, norm: Norm, zero_init: bool
    ) -> None:
        super().__init__()
        self.attention = Attention(dim, heads, dropout, zero_init)
        self.feed_forward = FeedForward(dim, hidden, dropout, zero_init)
        self.residuals = nn.ModuleList(Residual(dim, dropout, norm) for _ in range(2))

    def forward(self, x: Tensor, position: Tensor, blocked: Tensor | None = None) -> Tensor:
        """Tokens `(B, P, D)` and their position embedding `(P, D)` to tokens `(B, P, D)`."""

        def attention(x: Tensor) -> Tensor:
            placed = x + position
            return self.attention(placed, placed, x, blocked)

        attend, feed = self.residuals
        return feed(attend(x, attention), self.feed_forward)


class DecoderLayer(nn.Module):
    """A query attends to the memory, then to the layer before it, then the feed-forward.

    The layer before enters through attention alone, not through a residual (UniAD's layer-wise
    query decoder): nothing of the input can slip past the query.
    """

    def __init__(
        self, dim: int, heads: int, hidden: int, dropout: float, norm: Norm, zero_init: bool
    ) -> None:
        super().__init__()
        self.to_memory = Attention(dim, heads, dropout, zero_init)
        self.to_previous = Attention(dim, heads, dropout, zero_init)
        self.feed_forward = FeedForward(dim, hidden, dropout, zero_init)
        self.residuals = nn.ModuleList(Residual(dim, dropout, norm) for _ in range(3))

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        previous: Tensor,
        position: Tensor,
        memory_blocked: Tensor | None = None,
        previous_blocked: Tensor | None = None,
    ) -> Tensor:
        """`query`, `memory` and `previous` are `(B, P, D)`, `position` is `(P, D)`.

        The masks are `bool (P, P)`, True where a query may not look.
        """

        def from_memory(x: Tensor) -> Tensor:
            return self.to_memory(x + position, memory + position, memory, memory_blocked)

        def from_previous(x: Tensor) -> Tensor:
            return self.to_previous(x + position, previous + position, previous, previous_blocked)

        first, second, feed = self.residuals
        return feed(second(first(query, from_memory), from_previous), self.feed_forward)


class Encoder(nn.Module):
    """A stack of encoder layers; with pre-norm a last LayerNorm, with post-norm none (UniAD)."""

    def __init__(
        self,
        layers: int,
        dim: int,
        heads: int,
        hidden: int,
        dropout: float = 0.1,
        norm: Norm = "post",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(dim, heads, hidden, dropout, norm, zero_init) for _ in range(layers)
        )
        self.last = nn.LayerNorm(dim) if norm == "pre" else nn.Identity()

    def forward(self, x: Tensor, position: Tensor, blocked: Tensor | None = None) -> Tensor:
        """Tokens `(B, P, D)` to the memory `(B, P, D)`."""
        for layer in self.layers:
            x = layer(x, position, blocked)
        return self.last(x)


class Decoder(nn.Module):
    """A stack of decoder layers that ends with a LayerNorm."""

    def __init__(
        self,
        layers: int,
        dim: int,
        heads: int,
        hidden: int,
        dropout: float = 0.1,
        norm: Norm = "post",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderLayer(dim, heads, hidden, dropout, norm, zero_init) for _ in range(layers)
        )
        self.last = nn.LayerNorm(dim)

    def forward(
        self,
        queries: list[Tensor],
        memory: Tensor,
        position: Tensor,
        memory_blocked: Tensor | None = None,
        previous_blocked: Tensor | None = None,
    ) -> Tensor:
        """One query `(B, P, D)` per layer; the first layer's `previous` is the memory itself."""
        x = memory
        for layer, query in zip(self.layers, queries, strict=True):
            x = layer(query, memory, x, position, memory_blocked, previous_blocked)
        return self.last(x)
