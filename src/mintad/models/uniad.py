"""UniAD: a transformer that must rebuild a token without looking at it (arXiv 2206.03687)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.errors import ConfigError
from mintad.features import Features, FeatureShape
from mintad.layers.attention import Attention, neighbour_mask
from mintad.layers.noise import jitter
from mintad.layers.position import LearnedPosition
from mintad.layers.standardisation import Standardisation
from mintad.models.base import (
    AnomalyModel,
    Batches,
    Prediction,
    Reconstruction,
    single_grid,
)
from mintad.models.reconstruction import TransformerConfig, build_transformer
from mintad.models.registry import register_model
from mintad.models.scores import ImageScore, image_score


class UniAdConfig(TransformerConfig):
    """The switches of UniAD; the defaults are those of its code.

    `mask_encoder`, `mask_memory` and `mask_previous` block the neighbours in the encoder, where a
    query reads the memory and where it reads the layer before; `mask_window` is the side of the
    blocked window in positions.
    """

    mask_encoder: bool = True
    mask_memory: bool = True
    mask_previous: bool = True
    mask_window: int = Field(default=7, ge=1)
    image_score: ImageScore = "pooled-max"


@register_model("uniad", paper="UniAD, arXiv 2206.03687")
class UniAd(AnomalyModel):
    """Encoder and layer-wise query decoder with neighbour-masked attention, one for all products.

    Subclasses tell the decoder's queries, or the tokens, which product they look at.
    """

    config_class = UniAdConfig
    config: UniAdConfig
    blocked: Tensor

    def __init__(self, config: UniAdConfig, shape: FeatureShape, products: int) -> None:
        super().__init__(config, shape, products)
        _check(config)
        dim, self.grid = config.dim, single_grid(shape)
        self.standardisation = Standardisation(shape.channels)
        self.inward = nn.Linear(shape.channels, dim)
        self.outward = nn.Linear(dim, shape.channels)
        self.position = LearnedPosition(self.grid, dim)
        self.encoder, self.decoder = build_transformer(config)
        self.queries = nn.Parameter(torch.randn(config.decoder_layers, shape.positions, dim))
        window = (config.mask_window, config.mask_window)
        self.register_buffer("blocked", neighbour_mask(self.grid, window), persistent=False)
        _initialise(self)

    def fit(self, batches: Batches) -> None:
        """Channel statistics with `standardise`, otherwise nothing."""
        if self.config.standardise:
            self.standardisation.fit(features.tokens for features, _ in batches())

    def loss(
        self, features: Features, products: Tensor, seeds: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The mean squared error of tokens rebuilt from jittered ones."""
        clean = self.standardisation(features.tokens)
        config = self.config
        noisy = jitter(clean, config.jitter_ratio, config.jitter_probability, seeds)
        return {"loss": F.mse_loss(self.rebuild(noisy, products).float(), clean.float())}

    def predict(self, features: Features, products: Tensor | None = None) -> Prediction:
        """The distance between features and their reconstruction, and a score of that map."""
        if self.requirements.product:
            products = self.named(products)
        clean = self.standardisation(features.tokens)
        distance = (self.rebuild(clean, products) - clean).float().norm(dim=2)  # (B, P)
        anomaly_map = self.upsample(distance.unflatten(1, self.grid))
        score = image_score(anomaly_map, self.config.image_score, distance)
        return Prediction(anomaly_map, score, None)

    def reconstruction(self, features: Features, products: Tensor | None = None) -> Reconstruction:
        """Standardised tokens `(B, P, C)`, and what the network gives back."""
        clean = self.standardisation(features.tokens)
        return Reconstruction(clean, self.rebuild(clean, products))

    def rebuild(self, tokens: Tensor, products: Tensor | None) -> Tensor:
        """Tokens `(B, P, C)` as the network gives them back."""
        queries = self.layer_queries(tokens.shape[0], products)
        return self.outward(self.transform(self.inward(tokens), self.position(), queries))

    def layer_queries(self, batch: int, products: Tensor | None) -> Tensor:
        """The queries `(layers, B, P, D)` of each decoder layer; here the same for all images."""
        return self.queries[:, None].expand(-1, batch, -1, -1)

    def transform(self, x: Tensor, position: Tensor, queries: Tensor) -> Tensor:
        """`x` `(B, P, D)`, its position embedding and the queries to decoded tokens."""
        config = self.config
        memory = self.encoder(x, position, self.blocked if config.mask_encoder else None)
        return self.decoder(
            list(queries),
            memory,
            position,
            memory_blocked=self.blocked if config.mask_memory else None,
            previous_blocked=self.blocked if config.mask_previous else None,
        )


def _initialise(model: nn.Module) -> None:
    """UniAD's initial weights: Xavier's in every linear layer, biases zero.

    Its query, key and value projections are one matrix of three times the height, which divides
    their bound by the root of two. What `zero_init` has set to zero stays zero.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear) and module.weight.any():
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, Attention):
            for layer in (module.query, module.key, module.value):
                nn.init.xavier_uniform_(layer.weight, gain=0.5**0.5)


def _check(config: UniAdConfig) -> None:
    """Raises `ConfigError` for switches that cannot be."""
    if config.mask_window % 2 == 0:
        raise ConfigError(
            f"mask_window={config.mask_window} has no middle.",
            "Choose an odd mask_window, so that it lies around its position.",
        )
