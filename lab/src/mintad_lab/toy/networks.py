"""Reconstruction networks of the plane; several seeds of one network train side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAPPER_WIDTH = 32


class StackedLinear(nn.Module):
    """S linear layers of one size, each with its own weights: `(S, N, in)` to `(S, N, out)`.

    Each layer of the stack is initialised by its own generator, as if it stood alone.
    """

    def __init__(self, generators: Sequence[torch.Generator], inward: int, outward: int) -> None:
        super().__init__()
        bound = inward**-0.5

        def draw(rows: int) -> nn.Parameter:
            drawn = [torch.rand(rows, outward, generator=generator) for generator in generators]
            return nn.Parameter((2 * torch.stack(drawn) - 1) * bound)

        self.weight = draw(inward)  # (S, in, out)
        self.bias = draw(1)  # (S, 1, out)

    def forward(self, x: Tensor) -> Tensor:
        """`(S, N, in)` to `(S, N, out)`."""
        return torch.baddbmm(self.bias, x, self.weight)


class Autoencoder(nn.Module):
    """Hidden layers wider than the plane: nothing but the training forbids copying."""

    def __init__(self, generators: Sequence[torch.Generator], width: int, depth: int) -> None:
        super().__init__()
        sizes = (2, *[width] * depth, 2)
        self.layers = nn.ModuleList(StackedLinear(generators, *pair) for pair in pairwise(sizes))

    def forward(self, points: Tensor) -> Tensor:
        """Points `(S, N, 2)`, rebuilt."""
        *hidden, outward = self.layers
        for layer in hidden:
            points = F.silu(layer(points))
        return outward(points)

    def loss(self, noisy: Tensor, clean: Tensor, classes: Tensor) -> Tensor:
        """The squared error of rebuilding `clean` from `noisy`, summed over the stack."""
        return (self(noisy) - clean).square().mean(dim=(1, 2)).sum()


class ClassAwareAutoencoder(nn.Module):
    """The same with a class that sets the amplitude of every hidden unit, as MINT-AD's INR does.

    A head reads the class from the point. The modulator, ReLU after ReLU, takes a class to the
    amplitudes `h_l`, and `x_{l+1} = h_l * silu(W_l x_l + b_l)`. With `from_token` the modulator
    reads the token before the head, of the jittered point; otherwise it reads the class itself:
    the true one in training, the recognised one afterwards.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        width: int,
        classes: int,
        token: int = 8,
        from_token: bool = False,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.from_token = from_token
        sizes = (2, MAPPER_WIDTH, MAPPER_WIDTH, token)
        self.mapper = nn.ModuleList(StackedLinear(generators, *pair) for pair in pairwise(sizes))
        self.head = StackedLinear(generators, token, classes)
        prompt = token if from_token else classes
        self.modulators = nn.ModuleList(
            StackedLinear(generators, size, width) for size in (prompt, width)
        )
        self.hidden = nn.ModuleList(StackedLinear(generators, size, width) for size in (2, width))
        self.outward = StackedLinear(generators, width, 2)

    def forward(self, points: Tensor) -> Tensor:
        """Points `(S, N, 2)`, rebuilt as the class that is recognised."""
        token, logits = self._recognise(points)
        return self._rebuild(points, token if self.from_token else self._prompt(logits.argmax(2)))

    def loss(self, noisy: Tensor, clean: Tensor, classes: Tensor) -> Tensor:
        """The squared error, and a tenth of the head's cross-entropy; classes are `(S, N)`."""
        token, logits = self._recognise(noisy if self.from_token else clean)
        rebuilt = self._rebuild(noisy, token if self.from_token else self._prompt(classes))
        error = (rebuilt - clean).square().mean(dim=(1, 2)).sum()
        cross = F.cross_entropy(logits.transpose(1, 2), classes, reduction="none")
        return error + 0.1 * cross.mean(dim=1).sum()

    def _recognise(self, points: Tensor) -> tuple[Tensor, Tensor]:
        inner, middle, outer = self.mapper
        token = outer(middle(inner(points).relu()).relu())  # (S, N, T)
        return token, self.head(token)  # (S, N, K)

    def _prompt(self, classes: Tensor) -> Tensor:
        return F.one_hot(classes, self.classes).float()  # (S, N, K)

    def _rebuild(self, points: Tensor, prompt: Tensor) -> Tensor:
        amplitude, x = prompt, points
        for modulate, layer in zip(self.modulators, self.hidden, strict=True):
            amplitude = modulate(amplitude).relu()
            x = amplitude * F.silu(layer(x))
        return self.outward(x)
