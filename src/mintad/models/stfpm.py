"""STFPM: a student of the teacher's architecture looks at the same image (arXiv 2103.04257)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from mintad.features import Features, FeatureShape
from mintad.layers.distillation import squared_distance
from mintad.models.base import Requirements
from mintad.models.registry import register_model
from mintad.models.teacher_student import TeacherStudent, TeacherStudentConfig


class StfpmConfig(TeacherStudentConfig):
    """The switches of STFPM; the defaults are those of its code."""

    combine: Literal["sum", "product"] = "product"
    smoothing: float = Field(default=0.0, ge=0)


@register_model("stfpm", paper="STFPM, arXiv 2103.04257")
class Stfpm(TeacherStudent):
    """The forward student: it never sees an anomaly, and so cannot follow the teacher there."""

    config_class = StfpmConfig
    requirements = Requirements(features="stages", image=True, student=True)
    config: StfpmConfig

    def __init__(
        self, config: StfpmConfig, shape: FeatureShape, products: int, student: nn.Module
    ) -> None:
        super().__init__(config, shape, products)
        self.coarsest = self.bottleneck(shape.stage_channels[-1])
        self.student = student

    def student_stages(self, features: Features, teacher: list[Tensor]) -> list[Tensor]:
        """The student's own stages of the images."""
        *finer, coarsest = self.student(features.image)
        return [*finer, self.coarsest(coarsest)]

    def distillation_loss(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The mean over images and positions of the squared distance."""
        return squared_distance(teacher, student).mean()

    def distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The squared distance `(B, H, W)` of the channels, brought to length one."""
        return squared_distance(teacher, student)
