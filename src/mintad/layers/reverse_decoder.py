"""The reverse student: a narrow embedding of the teacher's stages, and a decoder back to them.

RD4AD (arXiv 2201.10703) mirrors a wide ResNet. Here the widths follow the stages, whatever the
teacher, and every stage ends with a linear layer: a MobileNet-like teacher's stages have signs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Grid = tuple[int, int]


def convolution(inward: int, outward: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias and its BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(inward, outward, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outward),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; ReLU. Strides 1 or 2."""

    def __init__(self, inward: int, outward: int, stride: int = 1) -> None:
        super().__init__()
        self.first = convolution(inward, outward, 3, stride)
        self.second = convolution(outward, outward, 3)
        same = inward == outward and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inward, outward, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, inward, H, W)` to `(B, outward, ceil(H / stride), ceil(W / stride))`."""
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class OneClassEmbedding(nn.Module):
    """RD4AD's bottleneck: all stages on the coarsest grid, concatenated, one stride further.

    `channels` are the embedding's: twice those of the coarsest stage, at half its grid.
    """

    def __init__(self, stage_channels: Sequence[int], stage_grids: Sequence[Grid]) -> None:
        super().__init__()
        coarsest = stage_channels[-1]
        self.grid = stage_grids[-1]
        self.channels = 2 * coarsest
        self.down = nn.ModuleList(
            _halvings(channels, coarsest, grid, self.grid)
            for channels, grid in zip(stage_channels, stage_grids, strict=True)
        )
        self.fuse = Residual(len(stage_channels) * coarsest, self.channels, stride=2)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """Stages `(B, C_s, H_s, W_s)` to the embedding `(B, channels, H', W')`."""
        maps = [
            _on_grid(down(stage), self.grid) for down, stage in zip(self.down, stages, strict=True)
        ]
        return self.fuse(torch.cat(maps, dim=1))


class ReverseDecoder(nn.Module):
    """From the embedding to the teacher's stages again, the coarsest first.

    A stage of c channels is decoded at a width of `width` * c by `blocks` residual blocks, after
    a 1x1 convolution and an upsampling to the stage's grid by nearest neighbours.
    """

    def __init__(
        self,
        inward: int,
        stage_channels: Sequence[int],
        stage_grids: Sequence[Grid],
        width: float,
        blocks: int,
    ) -> None:
        super().__init__()
        self.grids = tuple(stage_grids[::-1])
        self.narrow, self.blocks, self.out = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for channels in stage_channels[::-1]:
            inner = max(1, round(width * channels))
            self.narrow.append(nn.Sequential(convolution(inward, inner, 1), nn.ReLU()))
            self.blocks.append(nn.Sequential(*(Residual(inner, inner) for _ in range(blocks))))
            self.out.append(nn.Conv2d(inner, channels, 1))
            inward = inner

    def forward(self, embedding: Tensor) -> list[Tensor]:
        """The stages `(B, C_s, H_s, W_s)`, in the teacher's order."""
        x, stages = embedding, []
        for grid, narrow, blocks, out in zip(
            self.grids, self.narrow, self.blocks, self.out, strict=True
        ):
            x = blocks(F.interpolate(narrow(x), size=grid, mode="nearest"))
            stages.append(out(x))
        return stages[::-1]


def _halvings(inward: int, outward: int, grid: Grid, coarsest: Grid) -> nn.Sequential:
    """As many convolutions of stride 2 as lie between two grids; none for the coarsest itself."""
    ratio = max(grid[0] / coarsest[0], grid[1] / coarsest[1])
    steps: list[nn.Module] = []
    for _ in range(max(0, round(math.log2(ratio)))):
        steps += [convolution(inward, outward, 3, stride=2), nn.ReLU()]
        inward = outward
    if inward != outward:
        steps += [convolution(inward, outward, 1), nn.ReLU()]
    return nn.Sequential(*steps)


def _on_grid(features: Tensor, grid: Grid) -> Tensor:
    """The features on the grid itself, where halving came close to it only."""
    if tuple(features.shape[2:]) == grid:
        return features
    return F.interpolate(features, size=grid, mode="bilinear", align_corners=False)
