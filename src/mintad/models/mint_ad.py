"""MINT-AD: each product is rebuilt from its own queries (arXiv 2403.14213)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.errors import ConfigError
from mintad.features import Features, FeatureShape
from mintad.layers.distribution_decoder import gaussian_negative_log_likelihood
from mintad.layers.noise import jitter
from mintad.layers.recogniser import ProductRecogniser
from mintad.layers.reconstruction import reconstruction_loss
from mintad.layers.smoothing import smooth
from mintad.layers.standardisation import Standardisation
from mintad.layers.subspace import ProductSubspaces, channel_weights
from mintad.models.base import AnomalyModel, Batches, Prediction, Reconstruction
from mintad.models.mint_ad_network import ClassAwareReconstruction, MintAdConfig
from mintad.models.registry import register_model
from mintad.models.scores import image_score


@register_model("mint-ad", paper="MINT-AD, arXiv 2403.14213")
class MintAd(AnomalyModel):
    """MINT-AD, trained from nothing as in the paper, or from a closed form.

    With `start="subspaces"` the product is recognised by discriminant analysis, and what mean and
    directions of that product explain at each position is taken off the features first; the
    transformer, where there is one, rebuilds the rest.
    """

    config_class = MintAdConfig
    config: MintAdConfig

    def __init__(self, config: MintAdConfig, shape: FeatureShape, products: int) -> None:
        super().__init__(config, shape, products)
        _check(config)
        self.standardisation = Standardisation(shape.channels)
        self.recogniser: ProductRecogniser | None = None
        self.subspaces: ProductSubspaces | None = None
        if config.start == "subspaces":
            self.recogniser = ProductRecogniser(products, shape.channels)
            self.subspaces = ProductSubspaces(
                products,
                shape.positions,
                channel_weights(shape.stage_channels, config.balance),
                config.rank,
                config.code,
            )
        self.network = (
            ClassAwareReconstruction(config, shape, products) if config.transformer else None
        )
        self.adapted_norm = nn.LayerNorm(config.dim, elementwise_affine=False)

    def fit(self, batches: Batches) -> None:
        """The closed form: channel statistics with `standardise`, product subspaces as `start`."""
        if self.config.standardise:
            self.standardisation.fit(features.tokens for features, _ in batches())
        if self.subspaces is None or self.recogniser is None:
            return
        pooled = []
        for product in range(self.products):
            tokens = [self.standardisation(features.tokens) for features, _ in batches(product)]
            pooled.append(torch.cat([batch.mean(dim=1) for batch in tokens]))
            self.subspaces.fit(product, tokens)
        self.recogniser.fit(pooled)

    @torch.no_grad()
    def held_out_scores(self, batches: Batches, product: int) -> Tensor | None:
        """Cross-fitted scores of the closed form alone: a third of the images at a time."""
        if self.subspaces is None or self.network is not None:
            return None
        passes = (features.tokens for features, _ in batches(product))
        tokens = torch.cat([self.standardisation(batch) for batch in passes])
        folds = min(3, len(tokens))
        fold = torch.arange(len(tokens)) % folds
        scores = tokens.new_zeros(len(tokens))
        for number in range(folds):
            held = fold == number
            subspaces = self.subspaces.like(products=1)
            subspaces.fit(0, [tokens[~held]])
            zeros = torch.zeros(int(held.sum()), dtype=torch.int64)
            error = subspaces.residual(subspaces.normalised(tokens[held], zeros), zeros)
            scores[held] = self._scored(error.float().norm(dim=2))[1]
        return scores

    def loss(
        self, features: Features, products: Tensor, seeds: Tensor | None = None
    ) -> dict[str, Tensor]:
        """MSE, cross-entropy and prior loss (eq. 1, 4-6) of tokens."""
        config, network = self.config, self.network
        assert network is not None
        clean = target = self.standardisation(features.tokens)
        if self.subspaces is not None:
            clean = self.subspaces.normalised(clean, products)
            target = self.subspaces.residual(clean, products)
        if config.target == "adapted":
            target = self.adapted_norm(network.adaptor(clean)).detach()
        noisy = jitter(clean, config.jitter_ratio, config.jitter_probability, seeds)
        rebuilt, logits, queries = network(noisy)
        total = reconstruction_loss(rebuilt.float(), target.float(), config.loss, config.easy_share)
        parts = {"mse" if config.loss == "squared" else "cosine": total}
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

    def predict(self, features: Features, products: Tensor | None = None) -> Prediction:
        """The distance between features and their reconstruction (eq. 7); no product is needed.

        Without classification and without closed form nothing has learned to tell products.
        """
        tokens = features.tokens
        error, logits = self._error(self.standardisation(tokens), products)
        distance = error.float().norm(dim=2)  # (B, P)
        if self.config.prior_map:
            distance = distance + self.config.prior_map * self._prior(tokens, products)[1]
        learned = self.config.classification or self.recogniser is not None
        return Prediction(*self._scored(distance), logits if learned else None)

    def class_token(self, tokens: Tensor) -> Tensor:
        """The fine-grained class token `(B, T)` of tokens `(B, P, C)`."""
        return self._prior(tokens, None)[0]

    def description(self, features: Features, products: Tensor | None = None) -> dict[str, Tensor]:
        """The class token `(B, T)`, and `prior` `(B,)`: how unlikely the features are under it.

        `prior` is the negative log-likelihood per channel and position, a constant left out.
        Without the transformer there is neither.
        """
        if self.network is None:
            return {}
        token, prior = self._prior(features.tokens, products)
        said = {"class_token": token}
        return said if self.network.distribution is None else said | {"prior": prior.mean(dim=1)}

    def reconstruction(self, features: Features, products: Tensor | None = None) -> Reconstruction:
        """With subspaces, what is rebuilt is brought back to the features' scale."""
        tokens, network = features.tokens, self.network
        clean = self.standardisation(tokens)
        token = clean.mean(dim=1) if network is None else self.class_token(tokens)
        queries = None
        if self.subspaces is not None and self.recogniser is not None:
            logits = self.recogniser(clean)
            product = _chosen(logits, products)
            deviations = self.subspaces.normalised(clean, product)
            error = self.subspaces.residual(deviations, product)
            if network is not None:
                left, _, queries = network(deviations)
                error = error - left
            rebuilt = clean - error * self.subspaces.scale[product][:, None]  # (B, P, C)
        else:
            assert network is not None
            rebuilt, logits, queries = network(clean)
            logits = logits if self.config.classification else None
            if self.config.target == "adapted":
                clean = self.adapted_norm(network.adaptor(clean))
        made = queries if self.config.class_query else None
        return Reconstruction(clean, rebuilt, token, made, logits)

    def _prior(self, tokens: Tensor, products: Tensor | None) -> tuple[Tensor, Tensor]:
        """The class token `(B, T)` and the prior's likelihood `(B, P)`; zeros without a prior."""
        network = self.network
        assert network is not None
        clean = self.standardisation(tokens)
        if self.subspaces is not None and self.recogniser is not None:
            product = _chosen(self.recogniser(clean), products)
            clean = self.subspaces.normalised(clean, product)
        adapted = network.adaptor(clean)
        token, _ = network.class_token(adapted)
        if network.distribution is None:
            return token, adapted.new_zeros(adapted.shape[:2])
        likelihood = gaussian_negative_log_likelihood(
            self.adapted_norm(adapted), *network.distribution(network.query(token))
        )
        return token, likelihood.float().mean(dim=2)

    def _error(self, clean: Tensor, products: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.subspaces is not None and self.recogniser is not None:
            logits = self.recogniser(clean)
            product = _chosen(logits, products)
            clean = self.subspaces.normalised(clean, product)
            error = self.subspaces.residual(clean, product)
            return (error if self.network is None else error - self.network(clean)[0]), logits
        assert self.network is not None
        rebuilt, logits, _ = self.network(clean)
        if self.config.target == "adapted":
            clean = self.adapted_norm(self.network.adaptor(clean))
        return rebuilt - clean, logits

    def _scored(self, distance: Tensor) -> tuple[Tensor, Tensor]:
        """Map and score of distances `(B, P)`, each the mean over the sizes that are seen."""
        grids = self.shape.grids
        cells = torch.split(distance, [rows * columns for rows, columns in grids], dim=1)
        maps = [
            smooth(self.upsample(part.view(-1, *grid)), self.config.smoothing)
            for part, grid in zip(cells, grids, strict=True)
        ]
        scores = [
            image_score(anomaly_map, self.config.image_score, part)
            for anomaly_map, part in zip(maps, cells, strict=True)
        ]
        return torch.stack(maps).mean(dim=0), torch.stack(scores).mean(dim=0)


def _chosen(logits: Tensor, products: Tensor | None) -> Tensor:
    """The products named, and the most likely ones where none is."""
    recognised = logits.argmax(dim=1)
    return recognised if products is None else torch.where(products >= 0, products, recognised)


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
    if config.prior_map and not (config.prior and config.transformer):
        raise ConfigError(
            "prior_map fuses a prior into the map that these switches leave out.",
            "Set switches.prior=true and switches.transformer=true, or switches.prior_map=0.",
        )
