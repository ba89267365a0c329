"""The implicit neural representation: a class token and a position become a query."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from mintad.layers.position import coordinates

Modulation = Literal["amplitude", "full"]


class ImplicitQuery(nn.Module):
    """A modulated SIREN from class token and position to a query (MINT-AD, Table 13, eq. 8-9).

    The modulator reads the token and the position together, once; each of its layers gives the
    amplitude of the sine layer beside it. `modulation="full"` lets it give phase and frequency
    too, as the paper's text has it. With the paper's sizes the layers have 602,368 parameters,
    which is the amplitude reading; the positions are a learned table beside them.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        token_dim: int = 32,
        dim: int = 256,
        layers: int = 5,
        omega: float = 30.0,
        modulation: Modulation = "amplitude",
    ) -> None:
        super().__init__()
        self.omega = omega
        self.full = modulation == "full"
        self.position = nn.Parameter(coordinates(grid))  # (P, 3)
        synthesis = [nn.Linear(3 if i == 0 else dim, dim) for i in range(layers)]
        modulator = [nn.Linear(token_dim + 3 if i == 0 else dim, dim) for i in range(layers)]
        self.synthesis = nn.ModuleList(synthesis)
        self.modulator = nn.ModuleList(modulator)
        self.out = nn.Linear(dim, dim)
        if self.full:
            phase = [nn.Linear(dim, 2 * dim) for _ in range(layers)]
            for layer in phase:
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
            self.phase = nn.ModuleList(phase)
        for i, layer in enumerate(synthesis):
            bound = 1 / 3 if i == 0 else (6 / dim) ** 0.5 / omega
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, token: Tensor) -> Tensor:
        """Class tokens `(B, T)` to queries `(B, P, D)`."""
        batch, count = token.shape[0], len(self.position)
        h = torch.cat(
            (token[:, None, :].expand(-1, count, -1), self.position.expand(batch, -1, -1)), dim=2
        )  # (B, P, T + 3)
        x = self.position  # (P, 3), then (B, P, D)
        for i, (sine, modulate) in enumerate(zip(self.synthesis, self.modulator, strict=True)):
            h = modulate(h).relu()
            angle = sine(x)
            if self.full:
                frequency, phase = self.phase[i](h).chunk(2, dim=-1)
                angle = angle * (1 + frequency) + phase
            x = h * torch.sin(self.omega * angle)
        return self.out(x)


class TokenMlpQuery(nn.Module):
    """The large MLP that Table 9 compares with: class token to all `P * D` query values at once."""

    def __init__(
        self,
        grid: tuple[int, int],
        token_dim: int = 32,
        dim: int = 256,
        hidden: tuple[int, ...] = (256, 1024, 7484),
    ) -> None:
        super().__init__()
        sizes = (token_dim, *hidden)
        self.hidden = nn.Sequential(
            *(
                part
                for before, after in pairwise(sizes)
                for part in (nn.Linear(before, after), nn.ReLU())
            )
        )
        self.out = nn.Linear(sizes[-1], grid[0] * grid[1] * dim)
        self.dim = dim

    def forward(self, token: Tensor) -> Tensor:
        """Class tokens `(B, T)` to queries `(B, P, D)`."""
        return self.out(self.hidden(token)).unflatten(1, (-1, self.dim))  # (B, P, D)
