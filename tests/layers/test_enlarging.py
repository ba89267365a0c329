from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mintad.layers.enlarging import enlarge


@pytest.mark.parametrize(
    ("grid", "size"),
    [((14, 14), (224, 224)), ((3, 5), (32, 31)), ((1, 1), (4, 7)), ((8, 8), (8, 8))],
)
def test_it_is_bilinear_interpolation(grid: tuple[int, int], size: tuple[int, int]) -> None:
    maps = torch.randn(2, *grid, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(enlarge(maps, size), expected, atol=1e-5, rtol=1e-5)
