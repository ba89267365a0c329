"""Trains a network of the toy experiment on a scene, over several seeds at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mintad_lab.toy.measures import Ground, Measures, measure
from mintad_lab.toy.networks import Autoencoder, ClassAwareAutoencoder
from mintad_lab.toy.shapes import Points, Scene, plane

Kind = Literal[
    "autoencoder", "denoising", "class token", "class-aware", "best denoising", "best class-aware"
]


@dataclass(frozen=True)
class Network:
    """A kind of network, and the number and width of its hidden layers; the best have none."""

    kind: Kind
    width: int = 0
    depth: int = 2

    def build(self, classes: int, seeds: Sequence[int]) -> Autoencoder | ClassAwareAutoencoder:
        """One network per seed, stacked."""
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        if self.kind in ("autoencoder", "denoising"):
            return Autoencoder(generators, self.width, self.depth)
        from_token = self.kind == "class token"
        return ClassAwareAutoencoder(generators, self.width, classes, from_token=from_token)


@dataclass(frozen=True)
class Budget:
    """How much is trained: points per class, steps, points per step, jitter and learning rate.

    The jitter is the deviation of the noise on the input; the plain autoencoder has none.
    """

    points: int = 300
    steps: int = 800
    batch: int = 192
    jitter: float = 0.18
    learning_rate: float = 1e-2


class Draw(NamedTuple):
    """Training points and their classes, points held out for the threshold, points to test."""

    points: Points
    classes: NDArray[np.int64]
    held_out: Points
    test: Points


def draw(scene: Scene, count: int, seed: int) -> Draw:
    """`count` training points of each class, and 500 of each for either other part."""
    rng = np.random.default_rng(seed)
    points, classes = scene.sample(count, rng)
    return Draw(points, classes, scene.sample(500, rng)[0], scene.sample(500, rng)[0])


@dataclass(frozen=True)
class Trained:
    """Error fields `(S, SIDE, SIDE)`, one per seed, what the first seed drew, and the measures."""

    parameters: int
    fields: NDArray[np.float32]
    drawn: Draw
    measures: tuple[Measures, ...]

    def mean(self) -> dict[str, float | None]:
        """The mean of each measure over the seeds; None where the measure is not defined."""
        return self._over_seeds(fmean)

    def deviation(self) -> dict[str, float | None]:
        """The same of the sample's standard deviation; 0 for a single seed."""
        return self._over_seeds(lambda values: stdev(values) if len(values) > 1 else 0.0)

    def _over_seeds(self, of: Callable[[list[float]], float]) -> dict[str, float | None]:
        rows = [asdict(measures) for measures in self.measures]
        return {
            name: None if value is None else of([row[name] for row in rows])
            for name, value in rows[0].items()
        }


def judge(
    ground: Ground,
    draws: Sequence[Draw],
    parameters: int,
    errors: Callable[[Sequence[Points]], NDArray[np.float32]],
) -> Trained:
    """Measures each seed's error field; `errors` maps points `(N, 2)` per seed to `(S, N)`."""
    cells = plane(len(ground.owner)).reshape(-1, 2)
    fields = errors([cells] * len(draws)).reshape(len(draws), *ground.owner.shape)
    held_out = errors([drawn.held_out for drawn in draws])
    test = errors([drawn.test for drawn in draws])
    measures = [measure(ground, *seed) for seed in zip(fields, held_out, test, strict=True)]
    return Trained(parameters, fields, draws[0], tuple(measures))


def train(
    scene: Scene, ground: Ground, network: Network, budget: Budget, seeds: Sequence[int]
) -> Trained:
    """Trains on points drawn anew for each seed, and measures each seed's error field."""
    draws = [draw(scene, budget.points, seed) for seed in seeds]
    points = _stacked([drawn.points for drawn in draws])  # (S, N, 2)
    classes = torch.from_numpy(draws[0].classes)  # (N,), the same for every seed
    model = network.build(scene.classes, seeds)
    jitter = 0.0 if network.kind == "autoencoder" else budget.jitter
    generators = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]
    optimiser = torch.optim.Adam(model.parameters(), lr=budget.learning_rate, fused=True)
    for step in range(budget.steps):
        for group in optimiser.param_groups:
            group["lr"] = budget.learning_rate * _schedule(step / budget.steps)
        chosen = torch.stack(
            [torch.randint(len(classes), (budget.batch,), generator=g) for g in generators]
        )  # (S, B)
        clean = torch.take_along_dim(points, chosen[..., None], dim=1)  # (S, B, 2)
        noise = torch.stack([torch.randn(budget.batch, 2, generator=g) for g in generators])
        optimiser.zero_grad()
        loss = model.loss(clean + jitter * noise, clean, classes[chosen])
        torch.autograd.backward(loss)
        optimiser.step()

    @torch.inference_mode()
    def errors(points: Sequence[Points]) -> NDArray[np.float32]:
        inputs = _stacked(points)
        distances: NDArray[np.float32] = (model(inputs) - inputs).norm(dim=2).numpy()
        return distances

    parameters = sum(parameter.numel() for parameter in model.parameters()) // len(seeds)
    return judge(ground, draws, parameters, errors)


def _schedule(done: float) -> float:
    """The factor of the learning rate: up over a tenth of the steps, then down as a cosine."""
    return done / 0.1 if done < 0.1 else 0.5 * (1 + math.cos(math.pi * (done - 0.1) / 0.9))


def _stacked(points: Sequence[Points]) -> Tensor:
    return torch.stack([torch.from_numpy(part).float() for part in points])
