"""Which networks the toy experiment trains on which shapes, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from mintad.system import Progress
from mintad_lab.toy.limit import BEST, BEST_AWARE, best_possible
from mintad_lab.toy.measures import Ground, survey
from mintad_lab.toy.shapes import SCENES
from mintad_lab.toy.training import Budget, Network, Trained, train

PLAIN = Network("autoencoder", 64)
DENOISING = Network("denoising", 64)
TOKEN = Network("class token", 48)
AWARE = Network("class-aware", 48)
SIZES = (Network("denoising", 8), DENOISING, Network("denoising", 128, 4))
"""Denoising autoencoders of growing size."""

SWEPT = "bars"
"""The shapes that all sizes are trained on."""

Plan = Mapping[str, tuple[Network, ...]]
"""The networks of each scene, in the order of the table."""


@dataclass(frozen=True)
class Outcome:
    """What was found: the ground of each scene, and what each of its networks rebuilds."""

    budget: Budget
    seeds: tuple[int, ...]
    grounds: dict[str, Ground]
    trained: dict[str, dict[Network, Trained]]

    def to_json(self) -> dict[str, Any]:
        """Budget, seeds, and for each scene and network every seed's numbers, mean, deviation."""
        return {
            "budget": asdict(self.budget),
            "seeds": list(self.seeds),
            "results": [
                {
                    "shapes": scene,
                    "network": network.kind,
                    "width": network.width,
                    "hidden_layers": network.depth,
                    "parameters": trained.parameters,
                    "mean": trained.mean(),
                    "deviation": trained.deviation(),
                    "seeds": [asdict(measures) for measures in trained.measures],
                }
                for scene, networks in self.trained.items()
                for network, trained in networks.items()
            ],
        }


def plan() -> Plan:
    """All scenes; what a class is told to is left out where there is but one."""
    planned = {}
    for name, scene in SCENES.items():
        denoising = SIZES if name == SWEPT else (DENOISING,)
        several = scene.classes > 1
        aware = (TOKEN, AWARE) if several else ()
        planned[name] = (PLAIN, *denoising, *aware, BEST, *((BEST_AWARE,) if several else ()))
    return planned


def run(
    seed: int = 0,
    repeats: int = 3,
    budget: Budget | None = None,
    planned: Plan | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Trains and measures every network of the plan with seeds `seed`, `seed + 1`, ...

    The same seed gives the same numbers; a single thread is used, which small networks like best.
    """
    budget, planned = budget or Budget(), planned or plan()
    seeds = tuple(range(seed, seed + repeats))
    grounds = {name: survey(SCENES[name]) for name in planned}
    trained: dict[str, dict[Network, Trained]] = {name: {} for name in planned}
    steps = [(name, network) for name, networks in planned.items() for network in networks]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for done, (name, network) in enumerate(steps, start=1):
            make = best_possible if network in (BEST, BEST_AWARE) else train
            trained[name][network] = make(SCENES[name], grounds[name], network, budget, seeds)
            if progress is not None:
                progress("networks", done, len(steps))
    finally:
        torch.set_num_threads(threads)
    return Outcome(budget, seeds, grounds, trained)
