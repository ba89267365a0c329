"""What the teacher-student methods have in common: stages in, losses and maps out."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from mintad.features import Features
from mintad.layers.smoothing import smooth
from mintad.models.base import AnomalyModel, ModelConfig, Prediction, Requirements
from mintad.models.scores import ImageScore, image_score


class TeacherStudentConfig(ModelConfig):
    """From stage maps to an image score.

    `combine` adds or multiplies the stages' distance maps, `smoothing` is the sigma in pixels of
    the Gaussian over the whole map, 0 for none.
    """

    combine: Literal["sum", "product"] = "sum"
    smoothing: float = Field(default=4.0, ge=0)
    image_score: ImageScore = "max"


class TeacherStudent(AnomalyModel):
    """A frozen teacher's stages, and a student that gives them back for good images.

    The teacher is the backbone, its stages at their own resolution. Subclasses say what the
    student sees (`student_stages`), the loss between the two and the distance at each position;
    `bottleneck`, `structural_losses` and `structural_map` are where SNL plugs in.
    """

    requirements = Requirements(features="stages")
    config: TeacherStudentConfig

    def teacher_stages(self, features: Features) -> list[Tensor]:
        """The teacher's stages `(B, C_s, H_s, W_s)`, as the student is to give them back."""
        return list(features.stages)

    def student_stages(self, features: Features, teacher: list[Tensor]) -> list[Tensor]:
        """What the student makes of the image or of the teacher's stages, stage by stage."""
        raise NotImplementedError

    def distillation_loss(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The method's own loss of one stage, both `(B, C, H, W)`, float32; a scalar."""
        raise NotImplementedError

    def distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The distance `(B, H, W)` of one stage at each position."""
        raise NotImplementedError

    def bottleneck(self, channels: int) -> nn.Module:
        """What the student's coarsest features `(B, channels, H, W)` go through; here nothing."""
        return nn.Identity()

    def structural_losses(self, teacher: list[Tensor], student: list[Tensor]) -> dict[str, Tensor]:
        """Further parts of the loss, weighted; here none."""
        return {}

    def structural_map(self, teacher: list[Tensor], student: list[Tensor]) -> Tensor | None:
        """What is added to the distance map, `(B, h, w)`; here nothing."""
        return None

    def loss(
        self, features: Features, products: Tensor, seeds: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The loss summed over the stages; in float32 under autocast, too."""
        teacher = self.teacher_stages(features)
        student = self.student_stages(features, teacher)
        with torch.autocast(teacher[0].device.type, enabled=False):
            teacher = [stage.float() for stage in teacher]
            student = [stage.float() for stage in student]
            pairs = zip(teacher, student, strict=True)
            own = torch.stack([self.distillation_loss(t, s) for t, s in pairs]).sum()
            parts = {"distillation": own} | self.structural_losses(teacher, student)
            return parts | {"loss": torch.stack(list(parts.values())).sum()}

    def predict(self, features: Features, products: Tensor | None = None) -> Prediction:
        """Where the student differs from the teacher; no product is needed, none recognised."""
        teacher = self.teacher_stages(features)
        student = self.student_stages(features, teacher)
        maps = torch.stack(
            [self.upsample(self.distance(t, s)) for t, s in zip(teacher, student, strict=True)]
        )  # (stages, B, h, w)
        anomaly_map = maps.sum(dim=0) if self.config.combine == "sum" else maps.prod(dim=0)
        structural = self.structural_map(teacher, student)
        if structural is not None:
            anomaly_map = anomaly_map + structural
        anomaly_map = smooth(anomaly_map, self.config.smoothing)
        return Prediction(anomaly_map, image_score(anomaly_map, self.config.image_score), None)
