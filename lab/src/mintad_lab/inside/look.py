"""What a method makes of a batch on its way to the anomaly map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mintad.errors import ConfigError
from mintad.models import AnomalyModel
from mintad.models.mint_ad import MintAd
from mintad.models.uniad import UniAd


@dataclass(frozen=True)
class Look:
    """The inside of a batch; what a method does not have is None.

    `original` and `rebuilt` are features `(B, P, C)` in the space where the method compares them.
    `tokens` `(B, T)` are what tells subclasses apart, `queries` `(B, P, D)` what the decoder reads,
    `logits` `(B, K)` which product is recognised.
    """

    original: Tensor
    rebuilt: Tensor
    tokens: Tensor | None = None
    queries: Tensor | None = None
    logits: Tensor | None = None


@dataclass(frozen=True)
class Anatomy:
    """What there is to look at in a model: names of its parts, or why one is missing."""

    method: str
    rebuilding: str
    tokens: str | None
    queries: str | None
    recogniser: str | None
    missing: tuple[str, ...]


def anatomy(name: str, model: AnomalyModel) -> Anatomy:
    """What `look` gives for a model. Raises `ConfigError` where it can give nothing."""
    if isinstance(model, UniAd):
        without = (
            "It has no class token: nothing tells the images of a product apart.",
            "Its queries do not depend on the image: there is no class-aware map of them.",
            "It recognises no product.",
        )
        return Anatomy(name, "transformer with learned queries", None, None, None, without)
    if not isinstance(model, MintAd):
        raise ConfigError(
            f"There is nothing to look at inside {name}: it rebuilds no features from queries.",
            "Name a bundle of mint-ad, uniad or one of uniad's variants.",
        )
    closed = model.subspaces is not None
    if model.network is None:
        return Anatomy(
            name,
            "product subspaces",
            "the features' mean over positions, which the recogniser reads",
            None,
            "discriminant analysis",
            ("Without a transformer there are neither queries nor a class token.",),
        )
    missing: list[str] = []
    queries = "INR" if model.config.query_network == "inr" else "MLP"
    shared = model.network.shared_query is not None
    learned = closed or model.config.classification
    if shared:
        missing.append("Its queries are one learned table for all products.")
    recogniser = "discriminant analysis" if closed else "the classification head"
    if not learned:
        missing.append("It was not trained to recognise products.")
    return Anatomy(
        name,
        "product subspaces and transformer" if closed else "transformer with class-aware queries",
        "the class token",
        None if shared else queries,
        recogniser if learned else None,
        tuple(missing),
    )


@torch.inference_mode()
def look(model: AnomalyModel, tokens: Tensor, products: Tensor) -> Look:
    """The inside of tokens `(B, P, C)`; `products` `int64 (B,)` is told to methods that need it."""
    if isinstance(model, UniAd):
        clean = model.standardisation(tokens)
        return Look(clean, model.rebuild(clean, products if model.needs_product else None))
    assert isinstance(model, MintAd)
    clean = model.standardisation(tokens)
    if model.subspaces is not None:
        return _from_subspaces(model, clean)
    network = model.network
    assert network is not None
    rebuilt, logits, queries = network(clean)
    if model.config.target == "adapted":
        clean = model.adapted_norm(network.adaptor(clean))
    read = queries if network.shared_query is None else None
    learned = logits if model.config.classification else None
    return Look(clean, rebuilt, model.class_token(tokens), read, learned)


def _from_subspaces(model: MintAd, clean: Tensor) -> Look:
    """The same with the closed form: what is rebuilt is brought back to the features' scale."""
    subspaces, recogniser, network = model.subspaces, model.recogniser, model.network
    assert subspaces is not None
    assert recogniser is not None
    logits = recogniser(clean)
    product = logits.argmax(dim=1)
    deviations = subspaces.normalised(clean, product)
    error = subspaces.residual(deviations, product)
    token, queries = clean.mean(dim=1), None
    if network is not None:
        left, _, made = network(deviations)
        queries = made if network.shared_query is None else None
        error = error - left
        token, _ = network.class_token(network.adaptor(deviations))
    rebuilt = clean - error * subspaces.scale[product][:, None]  # (B, P, C)
    return Look(clean, rebuilt, token, queries, logits)


def attention_map(queries: Tensor) -> Tensor:
    """`softmax(Q Q^T / sqrt(D))` of queries `(B, P, D)`, the mean over the batch: `(P, P)`."""
    scores = queries @ queries.transpose(1, 2) / queries.shape[2] ** 0.5
    return scores.softmax(dim=2).mean(dim=0)


def cosine_map(queries: Tensor) -> Tensor:
    """The cosine between the queries `(B, P, D)` of any two positions, the mean: `(P, P)`."""
    directions = torch.nn.functional.normalize(queries, dim=2)
    return (directions @ directions.transpose(1, 2)).mean(dim=0)
