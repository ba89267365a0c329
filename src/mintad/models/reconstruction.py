"""The switches and the transformer that UniAD and MINT-AD have in common."""

from __future__ import annotations

from pydantic import Field

from mintad.errors import ConfigError
from mintad.layers.transformer import Decoder, Encoder, Norm
from mintad.models.base import ModelConfig


class TransformerConfig(ModelConfig):
    """Sizes and kind of the transformer, and the jitter of its input; the defaults are UniAD's."""

    dim: int = Field(default=256, ge=2)
    heads: int = Field(default=8, ge=1)
    feed_forward: int = Field(default=1024, ge=1)
    encoder_layers: int = Field(default=4, ge=0)
    decoder_layers: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    norm: Norm = "post"
    zero_init: bool = False
    standardise: bool = False
    jitter_ratio: float = Field(default=1.2127, ge=0)
    jitter_probability: float = Field(default=1.0, ge=0, le=1)


def build_transformer(config: TransformerConfig) -> tuple[Encoder, Decoder]:
    """The encoder and the decoder. Raises `ConfigError` where the heads do not divide the width."""
    if config.dim % config.heads:
        raise ConfigError(
            f"dim={config.dim} cannot be divided among heads={config.heads}.",
            "Choose a dim that is a multiple of heads.",
        )
    blocks = (
        config.dim,
        config.heads,
        config.feed_forward,
        config.dropout,
        config.norm,
        config.zero_init,
    )
    return Encoder(config.encoder_layers, *blocks), Decoder(config.decoder_layers, *blocks)
