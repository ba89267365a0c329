"""STFPM: a student of the teacher's architecture looks at the same image (arXiv 2103.04257)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from mintad.layers.distillation import squared_distance
from mintad.models.base import InputShape
from mintad.models.teacher_student import TeacherStudent, TeacherStudentConfig


class StfpmConfig(TeacherStudentConfig):
    """The switches of STFPM; the defaults are those of its code."""

    combine: Literal["sum", "product"] = "product"
    smoothing: float = Field(default=0.0, ge=0)


class Stfpm(TeacherStudent):
    """The forward student: it never sees an anomaly, and so cannot follow the teacher there.

    `set_student` gives it the network, untrained, before anything else.
    """

    config_class = StfpmConfig
    needs_images = True
    config: StfpmConfig
    student: nn.Module

    def __init__(self, config: StfpmConfig, shape: InputShape) -> None:
        super().__init__(config, shape)
        self.coarsest = self.bottleneck(shape.stage_channels[-1])

    def set_student(self, network: nn.Module) -> None:
        """Takes the network: images `(B, 3, h, w)` to a list of stages like the teacher's."""
        self.student = network

    def student_stages(self, rows: Tensor, teacher: list[Tensor]) -> list[Tensor]:
        """The student's own stages of the images in rows `(B, 1, F)`."""
        *finer, coarsest = self.student(self.images(rows))
        return [*finer, self.coarsest(coarsest)]

    def distillation_loss(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The mean over images and positions of the squared distance."""
        return squared_distance(teacher, student).mean()

    def distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The squared distance `(B, H, W)` of the channels, brought to length one."""
        return squared_distance(teacher, student)
