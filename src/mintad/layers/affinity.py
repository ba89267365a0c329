"""Which features of a teacher resemble each other, and whether its student sees it alike (SNL).

A feature map is `(B, C, H, W)`; the teacher comes first. An affinity is the cosine of two feature
vectors. All expect float32.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

LARGEST = 16
"""Maps are pooled to at most `LARGEST` x `LARGEST` positions: an affinity has 256 x 256 values."""


def pooled_grid(height: int, width: int, largest: int = LARGEST) -> tuple[int, int]:
    """Rows and columns of a map once it is pooled for its affinities."""
    return min(height, largest), min(width, largest)


def unit_tokens(features: Tensor, largest: int = LARGEST) -> Tensor:
    """Positions `(B, N, C)` of length one, of the map pooled to at most `largest` a side."""
    height, width = features.shape[2:]
    grid = pooled_grid(height, width, largest)
    pooled = features if grid == (height, width) else F.adaptive_avg_pool2d(features, grid)
    return F.normalize(pooled.flatten(2).transpose(1, 2), dim=2)


def affinity(first: Tensor, second: Tensor) -> Tensor:
    """Cosines `(B, N, M)` of unit tokens `(B, N, C)` and `(B, M, C)`."""
    return first @ second.transpose(1, 2)


def intra_affinity_loss(teacher: Tensor, student: Tensor) -> Tensor:
    """Mean squared difference of the affinities within an image, over all pairs of positions."""
    ours, theirs = unit_tokens(student), unit_tokens(teacher)
    return F.mse_loss(affinity(ours, ours), affinity(theirs, theirs))


def inter_image_loss(teacher: Tensor, student: Tensor) -> Tensor:
    """Mean squared difference of the affinities between images, over all pairs of a batch.

    An image is the mean of its positions. The first reading of inter-affinity.
    """
    ours, theirs = (
        F.normalize(features.mean(dim=(2, 3)), dim=1)[None] for features in (student, teacher)
    )  # (1, B, C)
    return F.mse_loss(affinity(ours, ours), affinity(theirs, theirs))


def inter_network_loss(teacher: Tensor, student: Tensor) -> Tensor:
    """Mean squared difference of teacher-to-student affinities and the teacher's own.

    The second reading of inter-affinity: a student's position must resemble the teacher's other
    positions as the teacher's own does.
    """
    ours, theirs = unit_tokens(student), unit_tokens(teacher)
    return F.mse_loss(affinity(theirs, ours), affinity(theirs, theirs))


def affinity_difference(teacher: Tensor, student: Tensor) -> Tensor:
    """`(B, H', W')`, at most 16 a side: how differently both relate a position to all others.

    The mean over the other positions j of `|A_T[i, j] - A_S[i, j]|`.
    """
    ours, theirs = unit_tokens(student), unit_tokens(teacher)
    difference = (affinity(theirs, theirs) - affinity(ours, ours)).abs().mean(dim=2)  # (B, N)
    return difference.reshape(-1, *pooled_grid(teacher.shape[2], teacher.shape[3]))
