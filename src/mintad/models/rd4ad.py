"""RD4AD: a student decodes the teacher's stages from a narrow embedding (arXiv 2201.10703)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from mintad.features import Features, FeatureShape
from mintad.layers.distillation import cosine_distance, flattened_cosine_distance
from mintad.layers.reverse_decoder import OneClassEmbedding, ReverseDecoder
from mintad.layers.standardisation import Standardisation
from mintad.models.base import Batches
from mintad.models.registry import register_model
from mintad.models.teacher_student import TeacherStudent, TeacherStudentConfig


class Rd4adConfig(TeacherStudentConfig):
    """The switches of RD4AD.

    `decoder_width` is the decoder's width in channels of the stage that it decodes,
    `decoder_blocks` the residual blocks per stage. With `standardise` both networks see each
    channel of the teacher with mean zero and deviation one, so that no channel rules the cosine.
    """

    decoder_width: float = Field(default=1.0, gt=0)
    decoder_blocks: int = Field(default=1, ge=1)
    standardise: bool = False


@register_model("rd4ad", paper="RD4AD, arXiv 2201.10703")
class Rd4ad(TeacherStudent):
    """The reverse student: embedding and decoder. It needs the teacher's stages alone."""

    config_class = Rd4adConfig
    config: Rd4adConfig

    def __init__(self, config: Rd4adConfig, shape: FeatureShape, products: int) -> None:
        super().__init__(config, shape, products)
        stages = (shape.stage_channels, shape.grids)
        self.standardisation = nn.ModuleList(map(Standardisation, shape.stage_channels))
        self.embedding = OneClassEmbedding(*stages)
        self.middle = self.bottleneck(self.embedding.channels)
        self.decoder = ReverseDecoder(
            self.embedding.channels, *stages, config.decoder_width, config.decoder_blocks
        )

    def fit(self, batches: Batches) -> None:
        """Channel statistics of each stage with `standardise`, otherwise nothing."""
        if not self.config.standardise:
            return
        for number, standardisation in enumerate(self.standardisation):
            assert isinstance(standardisation, Standardisation)
            standardisation.fit(
                features.stages[number].flatten(2).transpose(1, 2) for features, _ in batches()
            )

    def teacher_stages(self, features: Features) -> list[Tensor]:
        """The teacher's stages `(B, C_s, H_s, W_s)`, standardised if so chosen."""
        return [
            standardisation(stage.movedim(1, -1)).movedim(-1, 1)
            for standardisation, stage in zip(self.standardisation, features.stages, strict=True)
        ]

    def student_stages(self, features: Features, teacher: list[Tensor]) -> list[Tensor]:
        """The stages as the decoder gives them back from the embedding."""
        return list(self.decoder(self.middle(self.embedding(teacher))))

    def distillation_loss(self, teacher: Tensor, student: Tensor) -> Tensor:
        """The mean over images of one minus the cosine of the flattened maps."""
        return flattened_cosine_distance(teacher, student).mean()

    def distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """One minus the cosine of the channels, `(B, H, W)`."""
        return cosine_distance(teacher, student)
