"""UniAD that is told the product: the variants that MINT-AD compares with (its Table 4).

MINT-AD names them and says little more. How each is built is written with it below.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.features import FeatureShape
from mintad.models.base import Requirements, TextConfig
from mintad.models.registry import register_model
from mintad.models.uniad import UniAd, UniAdConfig

_PAPER = "UniAD, arXiv 2206.03687, compared in MINT-AD, arXiv 2403.14213"


@register_model("uniad-query-pool", paper=_PAPER)
class QueryPoolUniAd(UniAd):
    """One table of queries per product and decoder layer."""

    requirements = Requirements(product=True)

    def __init__(self, config: UniAdConfig, shape: FeatureShape, products: int) -> None:
        super().__init__(config, shape, products)
        self.queries = nn.Parameter(torch.randn(products, *self.queries.shape))

    def layer_queries(self, batch: int, products: Tensor | None) -> Tensor:
        """The queries `(layers, B, P, D)` of each image's product."""
        return self.queries[self.named(products)].transpose(0, 1)


@register_model("uniad-class-token", paper=_PAPER)
class ClassTokenUniAd(UniAd):
    """A learned token of the product goes through encoder and decoder beside the others.

    It comes after the projection to the model's width and is cut off at the end. It has no place:
    its position embedding is zero, it looks everywhere, and every position may look at it.
    """

    requirements = Requirements(product=True)

    def __init__(self, config: UniAdConfig, shape: FeatureShape, products: int) -> None:
        super().__init__(config, shape, products)
        self.class_tokens = nn.Parameter(torch.randn(products, config.dim))
        layers, positions, dim = self.queries.shape
        self.queries = nn.Parameter(torch.randn(layers, positions + 1, dim))
        self.blocked = F.pad(self.blocked, (0, 1, 0, 1))  # (P + 1, P + 1)

    def rebuild(self, tokens: Tensor, products: Tensor | None) -> Tensor:
        """Tokens `(B, P, C)` as the network gives them back."""
        token = self.class_tokens[self.named(products), None]  # (B, 1, D)
        x = torch.cat((self.inward(tokens), token), dim=1)  # (B, P + 1, D)
        position = F.pad(self.position(), (0, 0, 0, 1))  # (P + 1, D)
        queries = self.layer_queries(tokens.shape[0], products)
        return self.outward(self.transform(x, position, queries)[:, :-1])


class TextPromptConfig(UniAdConfig, TextConfig):
    """UniAD's switches, and where the text embeddings come from."""


@register_model("uniad-text-prompt", paper=_PAPER)
class TextPromptUniAd(UniAd):
    """The text embedding of the product's name, projected, is added to every layer's queries.

    Embeddings are brought to length `sqrt(E)`, so that encoders with short vectors and with long
    ones begin alike.
    """

    config_class = TextPromptConfig
    requirements = Requirements(product=True, text=True)
    text_embeddings: Tensor

    def __init__(
        self, config: TextPromptConfig, shape: FeatureShape, products: int, texts: Tensor
    ) -> None:
        super().__init__(config, shape, products)
        length = texts.shape[1]
        self.register_buffer("text_embeddings", F.normalize(texts, dim=1) * length**0.5)
        self.projection = nn.Linear(length, config.decoder_layers * config.dim)

    def layer_queries(self, batch: int, products: Tensor | None) -> Tensor:
        """The queries `(layers, B, P, D)`: the shared table and each image's prompt."""
        prompt = self.projection(self.text_embeddings[self.named(products)])
        prompt = prompt.unflatten(1, (self.config.decoder_layers, self.config.dim))
        return self.queries[:, None] + prompt.transpose(0, 1)[:, :, None]  # (layers, B, P, D)
