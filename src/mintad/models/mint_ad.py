"""MINT-AD: each product is rebuilt from its own queries (arXiv 2403.14213)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.layers.distribution_decoder import (
    DistributionDecoder,
    gaussian_negative_log_likelihood,
)
from mintad.layers.inr import ImplicitQuery, Modulation, TokenMlpQuery
from mintad.layers.jitter import jitter
from mintad.layers.position import LearnedPosition
from mintad.layers.prompt_mapper import PooledPromptMapper, PromptMapper, TokenActivation
from mintad.layers.transformer import Decoder, Encoder, Norm
from mintad.models.base import AnomalyModel, Batches, InputShape, ModelConfig, Prediction
from mintad.models.scores import ImageScore, image_score


class MintAdConfig(ModelConfig):
    """The switches of MINT-AD; the defaults are the paper's."""

    dim: int = 256
    heads: int = 8
    feed_forward: int = 1024
    encoder_layers: int = 4
    decoder_layers: int = 4
    dropout: float = 0.1
    norm: Norm = "post"
    zero_init: bool = False
    standardise: bool = False
    jitter_ratio: float = 1.2127
    jitter_probability: float = 1.0
    adaptor: bool = True
    classification: bool = True
    class_query: bool = True
    prior: bool = True
    classification_weight: float = 1.0
    prior_weight: float = 0.1
    prompt: Literal["feature", "label", "image"] = "feature"
    token_source: Literal["positions", "pooled"] = "positions"
    token_activation: TokenActivation = "softmax"
    token_dim: int = 32
    query_network: Literal["inr", "mlp"] = "inr"
    modulation: Modulation = "amplitude"
    omega: float = 30.0
    target: Literal["raw", "adapted"] = "raw"
    image_score: ImageScore = "max"


class MintAd(AnomalyModel):
    """Adaptor, prompt mapper, INR query, distribution decoder and reconstruction transformer.

    Without `adaptor` the projection to the model's width stays as it was initialised; without
    `class_query` the decoder reads one learned query table, whatever the product (Table 5).
    """

    config_class = MintAdConfig
    config: MintAdConfig
    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(self, config: MintAdConfig, shape: InputShape) -> None:
        super().__init__(config, shape)
        dim, channels, grid = config.dim, shape.channels, shape.grid
        self.register_buffer("feature_mean", torch.zeros(channels))
        self.register_buffer("feature_scale", torch.ones(channels))
        self.adaptor = nn.Linear(channels, dim).requires_grad_(config.adaptor)
        if not config.adaptor:
            nn.init.orthogonal_(self.adaptor.weight)
        self.adapted_norm = nn.LayerNorm(dim, elementwise_affine=False)

        if config.prompt == "image":
            self.mapper: nn.Module = nn.Linear(dim, config.token_dim)
        elif config.token_source == "pooled":
            self.mapper = PooledPromptMapper(dim, dim, config.token_dim, config.token_activation)
        else:
            self.mapper = PromptMapper(
                shape.positions, dim, dim, config.token_dim, config.token_activation
            )
        self.head = nn.Linear(config.token_dim, shape.products)
        self.label_token = (
            nn.Linear(shape.products, config.token_dim) if config.prompt == "label" else None
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
        stack = (
            dim,
            config.heads,
            config.feed_forward,
            config.dropout,
            config.norm,
            config.zero_init,
        )
        self.encoder = Encoder(config.encoder_layers, *stack)
        self.decoder = Decoder(config.decoder_layers, *stack)
        self.out = nn.Linear(dim, channels if config.target == "raw" else dim)

    def fit(self, batches: Batches) -> None:
        """The mean and deviation of each channel over all good images, with `standardise`."""
        if not self.config.standardise:
            return
        count = 0
        total = torch.zeros(self.shape.channels, dtype=torch.float64)
        squares = torch.zeros_like(total)
        for tokens, _ in batches():
            flat = tokens.flatten(0, 1).double()  # (B * P, C)
            count += len(flat)
            total += flat.sum(dim=0)
            squares += flat.square().sum(dim=0)
        mean = total / count
        self.feature_mean.copy_(mean)
        self.feature_scale.copy_((squares / count - mean.square()).clamp_min(1e-8).sqrt())

    def loss(self, tokens: Tensor, products: Tensor) -> dict[str, Tensor]:
        """MSE, cross-entropy and prior loss (eq. 1, 4-6) of tokens `(B, P, C)`."""
        config = self.config
        clean = self._standardised(tokens)
        noisy = jitter(clean, config.jitter_ratio, config.jitter_probability)
        adapted = self.adaptor(noisy)
        token, logits = self._class_token(adapted)
        class_query = self.query(token)
        rebuilt = self._rebuild(adapted, class_query)
        parts = {"mse": F.mse_loss(rebuilt.float(), self._target(clean).float())}
        parts["loss"] = parts["mse"]
        if config.classification:
            parts["ce"] = F.cross_entropy(logits.float(), products)
            parts["loss"] = parts["loss"] + config.classification_weight * parts["ce"]
        if self.distribution is not None:
            mean, log_variance = self.distribution(class_query)
            parts["prior"] = gaussian_negative_log_likelihood(
                self.adapted_norm(self.adaptor(clean)).float(), mean.float(), log_variance.float()
            ).mean()
            parts["loss"] = parts["loss"] + config.prior_weight * parts["prior"]
        return parts

    def predict(self, tokens: Tensor, products: Tensor | None = None) -> Prediction:
        """The distance between features and their reconstruction (eq. 7); no product is needed."""
        clean = self._standardised(tokens)
        adapted = self.adaptor(clean)
        token, logits = self._class_token(adapted)
        rebuilt = self._rebuild(adapted, self.query(token))
        distance = (rebuilt.float() - self._target(clean).float()).norm(dim=2)  # (B, P)
        anomaly_map = self.upsample(distance.unflatten(1, self.shape.grid))
        return Prediction(anomaly_map, image_score(anomaly_map, self.config.image_score), logits)

    def class_token(self, tokens: Tensor) -> Tensor:
        """The fine-grained class token `(B, T)` of tokens `(B, P, C)`."""
        return self._class_token(self.adaptor(self._standardised(tokens)))[0]

    def _standardised(self, tokens: Tensor) -> Tensor:
        return (tokens - self.feature_mean) / self.feature_scale

    def _target(self, clean: Tensor) -> Tensor:
        if self.config.target == "raw":
            return clean
        return self.adapted_norm(self.adaptor(clean)).detach()

    def _class_token(self, adapted: Tensor) -> tuple[Tensor, Tensor]:
        source = adapted.mean(dim=1) if self.config.prompt == "image" else adapted
        token = self.mapper(source)
        logits = self.head(token)
        if self.label_token is not None:
            token = self.label_token(logits.softmax(dim=-1))
        return token, logits

    def _rebuild(self, adapted: Tensor, class_query: Tensor) -> Tensor:
        query = class_query
        if self.shared_query is not None:
            query = self.shared_query.expand(len(adapted), -1, -1)
        position = self.position()
        memory = self.encoder(adapted, position)
        decoded = self.decoder([query] * self.config.decoder_layers, memory, position)
        return self.out(decoded)
