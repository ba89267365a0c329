"""What a method makes of a batch on its way to the anomaly map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mintad.backbones import row_shape, unpack
from mintad.errors import ConfigError
from mintad.features import Features
from mintad.models import AnomalyModel, Reconstruction


@dataclass(frozen=True)
class Anatomy:
    """What there is to look at in a model: names of its parts, or why one is missing."""

    method: str
    rebuilding: str
    tokens: str | None
    queries: str | None
    recogniser: str | None
    missing: list[str]


def anatomy(name: str, model: AnomalyModel) -> Anatomy:
    """What `look` gives for a model, found on features of zeros.

    Raises `ConfigError` where it can give nothing.
    """
    zeros = unpack(torch.zeros(1, *row_shape(model.shape)), model.shape)
    seen = look(model, zeros, torch.zeros(1, dtype=torch.int64))
    if seen is None:
        raise ConfigError(
            f"There is nothing to look at inside {name}: it rebuilds no features from queries.",
            "Name a bundle of mint-ad, uniad or one of uniad's variants.",
        )
    switches = model.config.model_dump()
    closed = switches.get("start") == "subspaces"
    transformer = switches.get("transformer", True)
    kind = "class-aware" if seen.queries is not None else "learned"
    rebuilding = ["product subspaces"] * closed + [f"transformer with {kind} queries"] * transformer
    missing: list[str] = []
    if not transformer:
        missing.append("Without a transformer there are neither queries nor a class token.")
    elif seen.queries is None:
        missing.append("Its queries do not depend on the image: there is no map of them.")
    if seen.token is None:
        missing.append("It has no class token: nothing tells the images of a product apart.")
    if seen.product_logits is None:
        missing.append("It recognises no product.")
    pooled = "the features' mean over positions, which the recogniser reads"
    tokens = "the class token" if transformer else pooled
    recogniser = "discriminant analysis" if closed else "the classification head"
    return Anatomy(
        method=name,
        rebuilding=" and ".join(rebuilding),
        tokens=None if seen.token is None else tokens,
        queries=None if seen.queries is None else str(switches["query_network"]).upper(),
        recogniser=None if seen.product_logits is None else recogniser,
        missing=missing,
    )


@torch.inference_mode()
def look(model: AnomalyModel, features: Features, products: Tensor) -> Reconstruction | None:
    """The inside of B images; `products` `int64 (B,)` is told to methods that need it."""
    named = products if model.requirements.product else None
    return model.reconstruction(features, named)


def attention_map(queries: Tensor) -> Tensor:
    """`softmax(Q Q^T / sqrt(D))` of queries `(B, P, D)`, the mean over the batch: `(P, P)`."""
    scores = queries @ queries.transpose(1, 2) / queries.shape[2] ** 0.5
    return scores.softmax(dim=2).mean(dim=0)


def cosine_map(queries: Tensor) -> Tensor:
    """The cosine between the queries `(B, P, D)` of any two positions, the mean: `(P, P)`."""
    directions = torch.nn.functional.normalize(queries, dim=2)
    return (directions @ directions.transpose(1, 2)).mean(dim=0)
