"""How far rebuilt tokens are from what they should be."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F


def reconstruction_loss(
    rebuilt: Tensor,
    target: Tensor,
    kind: Literal["squared", "cosine"] = "squared",
    easy_share: float = 0.0,
) -> Tensor:
    """The mean over the positions of tokens `(B, P, C)`; a scalar.

    `squared` is the mean squared error over channels (MINT-AD, eq. 1), `cosine` one minus the
    cosine. `easy_share` of the batch's positions, those that are rebuilt best, do not count.
    """
    if kind == "cosine":
        error = 1 - F.cosine_similarity(rebuilt, target, dim=2)  # (B, P)
    else:
        error = (rebuilt - target).square().mean(dim=2)
    if easy_share == 0:
        return error.mean()
    hard = max(1, round(error.numel() * (1 - easy_share)))
    return error.flatten().topk(hard).values.mean()
