"""How far a student's stage is from its teacher's: pure functions of two feature maps.

All take the teacher first and the student second, both `(B, C, H, W)`, and expect float32: half
precision has too few digits for a difference of cosines.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def squared_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """`(B, H, W)`: squared distance of the channels, brought to length one (STFPM)."""
    return (F.normalize(teacher, dim=1) - F.normalize(student, dim=1)).square().sum(dim=1)


def cosine_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """`(B, H, W)`: one minus the cosine of the channels of each position (RD4AD's map)."""
    return 1 - F.cosine_similarity(teacher, student, dim=1)


def flattened_cosine_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """`(B,)`: one minus the cosine of the whole maps, each as one vector (RD4AD's loss)."""
    return 1 - F.cosine_similarity(teacher.flatten(1), student.flatten(1), dim=1)


def spatial_loss(teacher: Tensor, student: Tensor) -> Tensor:
    """The mean cosine distance over images and positions (SNL, the spatial half)."""
    return cosine_distance(teacher, student).mean()


def channel_loss(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """`t^2 / C sum_c KL(softmax_N(T_c / t) || softmax_N(S_c / t))`, the mean over images.

    Each channel is a distribution over the N positions (SNL, the channel half).
    """
    log_teacher = (teacher.flatten(2) / temperature).log_softmax(dim=2)  # (B, C, N)
    log_student = (student.flatten(2) / temperature).log_softmax(dim=2)
    divergence = F.kl_div(log_student, log_teacher, reduction="none", log_target=True).sum(dim=2)
    return temperature**2 * divergence.mean()
