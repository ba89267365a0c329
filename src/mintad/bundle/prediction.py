"""What the network of a bundle says of a batch, in numpy, whatever runs it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

INSPECTION_OUTPUTS = ("anomaly_map", "raw_score", "product_logits")
"""The fields of `RawPrediction` that an inspection needs."""


class RawPrediction(NamedTuple):
    """Raw maps `float32 (B, h, w)`, scores `(B,)` and product logits `(B, K)` or None.

    Where an engine was asked for them and the method has them: the class token `(B, T)` and
    the negative log-likelihood `(B,)` of an image's features under the prior of its product.
    The fields are the names of a graph's outputs.
    """

    anomaly_map: NDArray[np.float32]
    raw_score: NDArray[np.float32]
    product_logits: NDArray[np.float32] | None = None
    class_token: NDArray[np.float32] | None = None
    prior: NDArray[np.float32] | None = None
