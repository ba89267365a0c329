"""MINT-AD: each product is rebuilt from its own queries (arXiv 2403.14213)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.errors import ConfigError
from mintad.layers.distribution_decoder import (
    DistributionDecoder,
    gaussian_negative_log_likelihood,
)
from mintad.layers.inr import ImplicitQuery, Modulation, TokenMlpQuery
from mintad.layers.jitter import jitter
from mintad.layers.position import LearnedPosition
from mintad.layers.prompt_mapper import PooledPromptMapper, PromptMapper, TokenActivation
from mintad.layers.recogniser import ProductRecogniser
from mintad.layers.standardisation import Standardisation
from mintad.layers.subspace import ProductSubspaces, channel_weights
from mintad.models.base import AnomalyModel, Batches, InputShape, Prediction
from mintad.models.reconstruction import TransformerConfig, build_transformer
from mintad.models.scores import ImageScore, image_score


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
    image_score: ImageScore = "max"


class ClassAwareReconstruction(nn.Module):
    """Adaptor, prompt mapper, INR query, distribution decoder and transformer.

    Without `adaptor` the projection to the model's width stays as it was initialised; without
    `class_query` the decoder reads one learned query table, whatever the product (Table 5).
    """

    def __init__(self, config: MintAdConfig, shape: InputShape) -> None:
        super().__init__()
        dim, channels, grid = config.dim, shape.channels, shape.grid
        self.decoder_layers = config.decoder_layers
        self.adaptor = nn.Linear(channels, dim).requires_grad_(config.adaptor)
        if not config.adaptor:
            nn.init.orthogonal_(self.adaptor.weight)
        self.mapper = _mapper(config, shape)
        self.pooled = config.prompt == "image"
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
            query = self.shared_query.expand(len(adapted), -1, -1)
        position = self.position()
        memory = self.encoder(adapted, position)
        decoded = self.decoder([query] * self.decoder_layers, memory, position)
        return self.out(decoded), logits, class_query

    def class_token(self, adapted: Tensor) -> tuple[Tensor, Tensor]:
        """The class token `(B, T)` of adapted features `(B, P, D)`, and the product's logits."""
        token = self.mapper(adapted.mean(dim=1) if self.pooled else adapted)
        logits = self.head(token)
        if self.label_token is not None:
            token = self.label_token(logits.softmax(dim=-1))
        return token, logits


class MintAd(AnomalyModel):
    """MINT-AD, trained from nothing as in the paper, or from a closed form.

    With `start="subspaces"` the product is recognised by discriminant analysis, and what mean and
    directions of that product explain at each position is taken off the features first; the
    transformer, where there is one, rebuilds the rest.
    """

    config_class = MintAdConfig
    config: MintAdConfig

    def __init__(self, config: MintAdConfig, shape: InputShape) -> None:
        super().__init__(config, shape)
        _check(config)
        self.standardisation = Standardisation(shape.channels)
        self.recogniser: ProductRecogniser | None = None
        self.subspaces: ProductSubspaces | None = None
        if config.start == "subspaces":
            self.recogniser = ProductRecogniser(shape.products, shape.channels)
            self.subspaces = ProductSubspaces(
                shape.products,
                shape.positions,
                channel_weights(shape.stage_channels, config.balance),
                config.rank,
                config.code,
            )
        self.network = ClassAwareReconstruction(config, shape) if config.transformer else None
        self.adapted_norm = nn.LayerNorm(config.dim, elementwise_affine=False)

    def fit(self, batches: Batches) -> None:
        """The closed form: channel statistics with `standardise`, product subspaces as `start`."""
        if self.config.standardise:
            self.standardisation.fit(tokens for tokens, _ in batches())
        if self.subspaces is None or self.recogniser is None:
            return
        pooled = []
        for product in range(self.shape.products):
            tokens = [self.standardisation(batch) for batch, _ in batches(product)]
            pooled.append(torch.cat([batch.mean(dim=1) for batch in tokens]))
            self.subspaces.fit(product, tokens)
        self.recogniser.fit(pooled)

    @torch.no_grad()
    def held_out_scores(self, batches: Batches, product: int) -> Tensor | None:
        """Cross-fitted scores of the closed form alone: a third of the images at a time."""
        if self.subspaces is None or self.network is not None:
            return None
        tokens = torch.cat([self.standardisation(batch) for batch, _ in batches(product)])
        folds = min(3, len(tokens))
        fold = torch.arange(len(tokens)) % folds
        scores = tokens.new_zeros(len(tokens))
        for number in range(folds):
            held = fold == number
            subspaces = self.subspaces.like(products=1)
            subspaces.fit(0, [tokens[~held]])
            zeros = torch.zeros(int(held.sum()), dtype=torch.int64)
            error = subspaces.residual(subspaces.normalised(tokens[held], zeros), zeros)
            scores[held] = self._scored(error)[1]
        return scores

    def loss(self, tokens: Tensor, products: Tensor) -> dict[str, Tensor]:
        """MSE, cross-entropy and prior loss (eq. 1, 4-6) of tokens `(B, P, C)`."""
        config, network = self.config, self.network
        assert network is not None
        clean = target = self.standardisation(tokens)
        if self.subspaces is not None:
            clean = self.subspaces.normalised(clean, products)
            target = self.subspaces.residual(clean, products)
        if config.target == "adapted":
            target = self.adapted_norm(network.adaptor(clean)).detach()
        noisy = jitter(clean, config.jitter_ratio, config.jitter_probability)
        rebuilt, logits, queries = network(noisy)
        parts = {"mse": F.mse_loss(rebuilt.float(), target.float())}
        total = parts["mse"]
        if config.classification:
            parts["ce"] = F.cross_entropy(logits.float(), products)
            total = total + config.classification_weight * parts["ce"]
        if network.distribution is not None:
            mean, log_variance = network.distribution(queries)
            adapted = self.adapted_norm(network.adaptor(clean))
            parts["prior"] = gaussian_negative_log_likelihood(
                adapted.float(), mean.float(), log_variance.float()
            ).mean()
            total = total + config.prior_weight * parts["prior"]
        return parts | {"loss": total}

    def predict(self, tokens: Tensor, products: Tensor | None = None) -> Prediction:
        """The distance between features and their reconstruction (eq. 7); no product is needed."""
        error, logits = self._error(self.standardisation(tokens), products)
        return Prediction(*self._scored(error), logits)

    def class_token(self, tokens: Tensor) -> Tensor:
        """The fine-grained class token `(B, T)` of tokens `(B, P, C)`."""
        assert self.network is not None
        clean = self.standardisation(tokens)
        if self.subspaces is not None and self.recogniser is not None:
            clean = self.subspaces.normalised(clean, self.recogniser(clean).argmax(dim=1))
        return self.network.class_token(self.network.adaptor(clean))[0]

    def _error(self, clean: Tensor, products: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.subspaces is not None and self.recogniser is not None:
            logits = self.recogniser(clean)
            product = logits.argmax(dim=1)
            if products is not None:
                product = torch.where(products >= 0, products, product)
            clean = self.subspaces.normalised(clean, product)
            error = self.subspaces.residual(clean, product)
            return (error if self.network is None else error - self.network(clean)[0]), logits
        assert self.network is not None
        rebuilt, logits, _ = self.network(clean)
        if self.config.target == "adapted":
            clean = self.adapted_norm(self.network.adaptor(clean))
        return rebuilt - clean, logits

    def _scored(self, error: Tensor) -> tuple[Tensor, Tensor]:
        distance = error.float().norm(dim=2)  # (B, P)
        anomaly_map = self.upsample(distance.unflatten(1, self.shape.grid))
        return anomaly_map, image_score(anomaly_map, self.config.image_score)


def _check(config: MintAdConfig) -> None:
    """Raises `ConfigError` for switches that contradict each other."""
    if config.start == "none" and not config.transformer:
        raise ConfigError(
            "MINT-AD has nothing to rebuild with: start is none and transformer is false.",
            "Set switches.start=subspaces or switches.transformer=true.",
        )
    if config.start != "none" and config.target == "adapted":
        raise ConfigError(
            "start=subspaces rebuilds the backbone's features, not adapted ones.",
            "Set switches.target=raw or switches.start=none.",
        )


def _mapper(config: MintAdConfig, shape: InputShape) -> nn.Module:
    if config.prompt == "image":
        return nn.Linear(config.dim, config.token_dim)
    sizes = (config.dim, config.dim, config.token_dim, config.token_activation)
    if config.token_source == "pooled":
        return PooledPromptMapper(*sizes)
    return PromptMapper(shape.positions, *sizes)
