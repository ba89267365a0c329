"""The network of MINT-AD (arXiv 2403.14213): its switches, and what rebuilds the features."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from mintad.features import FeatureShape
from mintad.layers.distribution_decoder import DistributionDecoder
from mintad.layers.inr import ImplicitQuery, Modulation, TokenMlpQuery
from mintad.layers.position import LearnedPosition
from mintad.layers.prompt_mapper import PooledPromptMapper, PromptMapper, TokenActivation
from mintad.models.base import single_grid
from mintad.models.reconstruction import TransformerConfig, build_transformer
from mintad.models.scores import ImageScore


class MintAdConfig(TransformerConfig):
    """The switches of MINT-AD; the defaults are the paper's."""

    adaptor: bool = True
    classification: bool = True
    class_query: bool = True
    prior: bool = True
    classification_weight: float = 1.0
    prior_weight: float = 0.1
    prompt: Literal["feature", "label", "image"] = "feature"
    token_source: Literal["positions", "pooled"] = "positions"
    token_activation: TokenActivation = "softmax"
    token_dim: int = Field(default=32, ge=1)
    query_network: Literal["inr", "mlp"] = "inr"
    modulation: Modulation = "amplitude"
    omega: float = 30.0
    target: Literal["raw", "adapted"] = "raw"
    transformer: bool = True
    start: Literal["none", "subspaces"] = "none"
    rank: int = Field(default=32, ge=0)
    code: int = Field(default=128, ge=1)
    balance: float = 0.0
    loss: Literal["squared", "cosine"] = "squared"
    easy_share: float = Field(default=0.0, ge=0, lt=1)
    bottleneck_dropout: float = Field(default=0.0, ge=0, lt=1)
    image_score: ImageScore = "max"
    smoothing: float = Field(default=0.0, ge=0)
    prior_map: float = 0.0


class ClassAwareReconstruction(nn.Module):
    """Adaptor, prompt mapper, INR query, distribution decoder and transformer.

    Without `adaptor` the projection to the model's width stays as it was initialised; without
    `class_query` the decoder reads one learned query table, whatever the product (Table 5).
    """

    def __init__(self, config: MintAdConfig, shape: FeatureShape, products: int) -> None:
        super().__init__()
        dim, channels, grid = config.dim, shape.channels, single_grid(shape)
        self.decoder_layers = config.decoder_layers
        self.adaptor = nn.Linear(channels, dim).requires_grad_(config.adaptor)
        if not config.adaptor:
            nn.init.orthogonal_(self.adaptor.weight)
        self.mapper = _mapper(config, shape)
        self.pooled = config.prompt == "image"
        self.head = nn.Linear(config.token_dim, products)
        self.label_token = (
            nn.Linear(products, config.token_dim) if config.prompt == "label" else None
        )
        self.query: nn.Module = (
            ImplicitQuery(
                grid, config.token_dim, dim, omega=config.omega, modulation=config.modulation
            )
            if config.query_network == "inr"
            else TokenMlpQuery(grid, config.token_dim, dim)
        )
        self.shared_query = (
            None if config.class_query else nn.Parameter(torch.rand(shape.positions, dim))
        )
        self.distribution = DistributionDecoder(dim) if config.prior else None
        self.position = LearnedPosition(grid, dim)
        self.bottleneck = nn.Dropout(config.bottleneck_dropout)
        self.encoder, self.decoder = build_transformer(config)
        self.out = nn.Linear(dim, channels if config.target == "raw" else dim)
        if config.start != "none":
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens `(B, P, C)` to rebuilt tokens, product logits `(B, K)` and queries `(B, P, D)`."""
        adapted = self.adaptor(tokens)
        token, logits = self.class_token(adapted)
        class_query = self.query(token)
        query = class_query
        if self.shared_query is not None:
            query = self.shared_query.expand(adapted.shape[0], -1, -1)
        position = self.position()
        memory = self.bottleneck(self.encoder(adapted, position))
        decoded = self.decoder([query] * self.decoder_layers, memory, position)
        return self.out(decoded), logits, class_query

    def class_token(self, adapted: Tensor) -> tuple[Tensor, Tensor]:
        """The class token `(B, T)` of adapted features `(B, P, D)`, and the product's logits."""
        token = self.mapper(adapted.mean(dim=1) if self.pooled else adapted)
        logits = self.head(token)
        if self.label_token is not None:
            token = self.label_token(logits.softmax(dim=-1))
        return token, logits


def _mapper(config: MintAdConfig, shape: FeatureShape) -> nn.Module:
    if config.prompt == "image":
        return nn.Linear(config.dim, config.token_dim)
    sizes = (config.dim, config.dim, config.token_dim, config.token_activation)
    if config.token_source == "pooled":
        return PooledPromptMapper(*sizes)
    return PromptMapper(shape.positions, *sizes)
