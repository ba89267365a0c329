"""Bilinear enlargement as gathers and sums, for graphs that compute in lower precision."""

from __future__ import annotations

import torch
from torch import Tensor


def enlarge(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps `(B, H, W)` as `(B, *size)`, bilinear, corners not aligned: `F.interpolate`'s values.

    OpenVINO leaves in float32 what comes after the last matrix product or interpolation of a
    bfloat16 graph. Without an interpolation that holds the distances, the map and the score,
    which bfloat16 would round to three digits.
    """
    for axis, count in ((1, size[0]), (2, size[1])):
        last = maps.shape[axis] - 1
        place = (torch.arange(count, dtype=torch.float64) + 0.5) * (last + 1) / count - 0.5
        place = place.clamp(0, last)
        low = place.floor().long()  # (count,)
        weight = (place - low).float().view((1, -1, 1) if axis == 1 else (1, 1, -1))
        before = maps.index_select(axis, low)
        after = maps.index_select(axis, (low + 1).clamp(max=last))
        maps = before + weight * (after - before)
    return maps
