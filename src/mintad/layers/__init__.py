"""The parts that methods are made of: pure torch, tensors in and tensors out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mintad.lazy import lazy_names

if TYPE_CHECKING:
    from mintad.layers.affinity import (
        affinity_difference,
        inter_image_loss,
        inter_network_loss,
        intra_affinity_loss,
    )
    from mintad.layers.attention import (
        Attention,
        neighbour_mask,
    )
    from mintad.layers.cram import (
        Cram,
        CramKind,
    )
    from mintad.layers.distillation import (
        channel_loss,
        cosine_distance,
        flattened_cosine_distance,
        spatial_loss,
        squared_distance,
    )
    from mintad.layers.distribution_decoder import (
        DistributionDecoder,
        gaussian_negative_log_likelihood,
    )
    from mintad.layers.enlarging import (
        enlarge,
    )
    from mintad.layers.inr import (
        ImplicitQuery,
        Modulation,
        TokenMlpQuery,
    )
    from mintad.layers.noise import (
        jitter,
    )
    from mintad.layers.position import (
        LearnedPosition,
    )
    from mintad.layers.prompt_mapper import (
        PooledPromptMapper,
        PromptMapper,
        TokenActivation,
    )
    from mintad.layers.recogniser import (
        ProductRecogniser,
    )
    from mintad.layers.reconstruction import (
        reconstruction_loss,
    )
    from mintad.layers.reverse_decoder import (
        OneClassEmbedding,
        ReverseDecoder,
    )
    from mintad.layers.smoothing import (
        smooth,
    )
    from mintad.layers.standardisation import (
        Standardisation,
    )
    from mintad.layers.subspace import (
        ProductSubspaces,
        channel_weights,
    )
    from mintad.layers.transformer import (
        Decoder,
        Encoder,
        Norm,
    )

__all__ = [
    "Attention",
    "Cram",
    "CramKind",
    "Decoder",
    "DistributionDecoder",
    "Encoder",
    "ImplicitQuery",
    "LearnedPosition",
    "Modulation",
    "Norm",
    "OneClassEmbedding",
    "PooledPromptMapper",
    "ProductRecogniser",
    "ProductSubspaces",
    "PromptMapper",
    "ReverseDecoder",
    "Standardisation",
    "TokenActivation",
    "TokenMlpQuery",
    "affinity_difference",
    "channel_loss",
    "channel_weights",
    "cosine_distance",
    "enlarge",
    "flattened_cosine_distance",
    "gaussian_negative_log_likelihood",
    "inter_image_loss",
    "inter_network_loss",
    "intra_affinity_loss",
    "jitter",
    "neighbour_mask",
    "reconstruction_loss",
    "smooth",
    "spatial_loss",
    "squared_distance",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Attention": "attention",
        "Cram": "cram",
        "CramKind": "cram",
        "Decoder": "transformer",
        "DistributionDecoder": "distribution_decoder",
        "Encoder": "transformer",
        "ImplicitQuery": "inr",
        "LearnedPosition": "position",
        "Modulation": "inr",
        "Norm": "transformer",
        "OneClassEmbedding": "reverse_decoder",
        "PooledPromptMapper": "prompt_mapper",
        "ProductRecogniser": "recogniser",
        "ProductSubspaces": "subspace",
        "PromptMapper": "prompt_mapper",
        "ReverseDecoder": "reverse_decoder",
        "Standardisation": "standardisation",
        "TokenActivation": "prompt_mapper",
        "TokenMlpQuery": "inr",
        "affinity_difference": "affinity",
        "channel_loss": "distillation",
        "channel_weights": "subspace",
        "cosine_distance": "distillation",
        "enlarge": "enlarging",
        "flattened_cosine_distance": "distillation",
        "gaussian_negative_log_likelihood": "distribution_decoder",
        "inter_image_loss": "affinity",
        "inter_network_loss": "affinity",
        "intra_affinity_loss": "affinity",
        "jitter": "noise",
        "neighbour_mask": "attention",
        "reconstruction_loss": "reconstruction",
        "smooth": "smoothing",
        "spatial_loss": "distillation",
        "squared_distance": "distillation",
    },
)
