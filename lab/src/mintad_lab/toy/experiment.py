"""Which networks the toy experiment trains on which shapes, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

import torch

from mintad.system import Progress
from mintad_lab.toy.limit import best_possible
from mintad_lab.toy.measures import Ground, Measures, survey
from mintad_lab.toy.shapes import SCENES
from mintad_lab.toy.training import Budget, Network, Trained, train

MEASURES = ("interference", "outside", "copied", "false_alarms", "roughness", "threshold")

PLAIN = Network("autoencoder", 64)
DENOISING = Network("denoising", 64)
TOKEN = Network("class token", 48)
AWARE = Network("class-aware", 48)
SIZES = (Network("denoising", 8), DENOISING, Network("denoising", 128, 4))
"""Denoising autoencoders of growing size."""

SWEPT = "bars"
"""The shapes that all sizes are trained on."""


@dataclass(frozen=True)
class Outcome:
    """What was found: per scene its ground, and its networks in the order of the table."""

    budget: Budget
    seeds: tuple[int, ...]
    grounds: dict[str, Ground]
    trained: dict[str, list[Trained]]

    def of(self, scene: str, network: Network) -> Trained:
        """The trained network. Raises `StopIteration` where it was not part of the plan."""
        return next(found for found in self.trained[scene] if found.network == network)

    def to_json(self) -> dict[str, Any]:
        """Budget, seeds, and for each scene and network every seed's numbers, mean, deviation."""
        return {
            "budget": asdict(self.budget),
            "seeds": list(self.seeds),
            "results": [
                {
                    "shapes": scene,
                    "network": found.network.kind,
                    "width": found.network.width,
                    "hidden_layers": found.network.depth,
                    "parameters": found.parameters,
                    "mean": summary(found.measures, fmean),
                    "deviation": summary(found.measures, deviation),
                    "seeds": [asdict(measures) for measures in found.measures],
                }
                for scene, networks in self.trained.items()
                for found in networks
            ],
        }


def plan(scenes: Sequence[str] = tuple(SCENES)) -> dict[str, tuple[Network, ...]]:
    """The networks of each scene; what a class is told to is left out where there is but one."""
    planned: dict[str, tuple[Network, ...]] = {}
    for scene in scenes:
        denoising = SIZES if scene == SWEPT else (DENOISING,)
        aware = (TOKEN, AWARE) if SCENES[scene].classes > 1 else ()
        planned[scene] = (PLAIN, *denoising, *aware)
    return planned


def run(
    seed: int = 0,
    repeats: int = 3,
    budget: Budget | None = None,
    planned: dict[str, tuple[Network, ...]] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Trains and measures every network of the plan with seeds `seed`, `seed + 1`, ...

    The same seed gives the same numbers; a single thread is used, which small networks like best.
    """
    budget, planned = budget or Budget(), planned or plan()
    seeds = tuple(range(seed, seed + repeats))
    total = sum(len(networks) + 1 for networks in planned.values())
    grounds: dict[str, Ground] = {}
    trained: dict[str, list[Trained]] = {}
    done = 0

    def tell(steps: int) -> None:
        nonlocal done
        done += steps
        if progress is not None:
            progress("networks", done, total)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name, networks in planned.items():
            scene = SCENES[name]
            ground = grounds[name] = survey(scene)
            trained[name] = []
            for network in networks:
                trained[name].append(train(scene, ground, network, budget, seeds))
                tell(1)
            limits = best_possible(scene, ground, budget, seeds)
            trained[name] += limits if scene.classes > 1 else limits[:1]
            tell(1)
    finally:
        torch.set_num_threads(threads)
    return Outcome(budget, seeds, grounds, trained)


def summary(
    measures: Sequence[Measures], of: Callable[[list[float]], float]
) -> dict[str, float | None]:
    """A statistic of each measure over the seeds; None where the measure is not defined."""
    found: dict[str, float | None] = {}
    for name in MEASURES:
        values = [getattr(measure, name) for measure in measures]
        found[name] = None if None in values else of(values)
    return found


def deviation(values: list[float]) -> float:
    """The sample's standard deviation; 0 for a single value."""
    return stdev(values) if len(values) > 1 else 0.0
