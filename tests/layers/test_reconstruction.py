"""The reconstruction loss against loops over positions."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch")

import torch

from mintad.layers.attention import Attention
from mintad.layers.reconstruction import reconstruction_loss


@pytest.mark.parametrize("kind", ["squared", "cosine"])
@pytest.mark.parametrize("easy", [0.0, 0.4])
def test_the_loss_is_the_mean_over_the_hardest_positions(kind: str, easy: float) -> None:
    torch.manual_seed(0)
    rebuilt, target = torch.randn(2, 3, 5, 4).unbind()
    errors = []
    for ours, theirs in zip(
        rebuilt.flatten(0, 1).tolist(), target.flatten(0, 1).tolist(), strict=True
    ):
        if kind == "squared":
            errors.append(sum((a - b) ** 2 for a, b in zip(ours, theirs, strict=True)) / 4)
        else:
            inner = sum(a * b for a, b in zip(ours, theirs, strict=True))
            errors.append(1 - inner / math.hypot(*ours) / math.hypot(*theirs))
    kept = sorted(errors, reverse=True)[: round(15 * (1 - easy))]
    loss = reconstruction_loss(rebuilt, target, kind, easy)
    assert float(loss) == pytest.approx(sum(kept) / len(kept), rel=1e-5)


def test_attention_in_training_is_attention_at_test_time() -> None:
    torch.manual_seed(0)
    attention = Attention(dim=16, heads=4)
    x = torch.randn(2, 9, 16)
    blocked = torch.eye(9, dtype=torch.bool)
    for mask in (None, blocked):
        torch.testing.assert_close(
            attention.train()(x, x, x, mask), attention.eval()(x, x, x, mask)
        )
