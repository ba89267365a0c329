"""What a backbone gives and a model takes: the features of a batch, and their shape.

Neither imports torch: a manifest holds the shape, and a machine without torch reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["FeatureKind", "FeatureShape", "Features"]

FeatureKind = Literal["tokens", "stages"]


class FeatureShape(BaseModel):
    """What a backbone makes of an image of `image_size` (height, width) pixels.

    Of the kind "tokens" all stages come to one grid: `grids` (rows, columns) has an entry for each
    size at which the image is seen, and the tokens of one size follow those of the one before.
    Of the kind "stages" each keeps its own resolution, and `grids` has an entry for each stage.
    `image` says that the prepared image comes with them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FeatureKind = "tokens"
    stage_channels: tuple[int, ...]
    grids: tuple[tuple[int, int], ...]
    image_size: tuple[int, int]
    image: bool = False

    @property
    def channels(self) -> int:
        """C, the channels of all stages together."""
        return sum(self.stage_channels)

    @property
    def positions(self) -> int:
        """P, the positions of all grids together."""
        return sum(rows * columns for rows, columns in self.grids)


class Features:
    """The features of B images: either tokens `(B, P, C)`, or stages `(B, C_s, H_s, W_s)`.

    `image` is the prepared, normalised images `(B, 3, h, w)` where they were asked for, else None.
    """

    def __init__(
        self,
        *,
        tokens: Tensor | None = None,
        stages: Sequence[Tensor] = (),
        image: Tensor | None = None,
    ) -> None:
        if (tokens is None) == (not stages):
            raise TypeError("features are either tokens or stages")
        self._tokens = tokens
        self._stages = tuple(stages)
        self.image = image

    @property
    def kind(self) -> FeatureKind:
        """Which of the two they are."""
        return "stages" if self._tokens is None else "tokens"

    @property
    def tokens(self) -> Tensor:
        """The tokens `(B, P, C)`; raises `TypeError` where there are stages instead."""
        if self._tokens is None:
            raise TypeError("these features are stages, not tokens")
        return self._tokens

    @property
    def stages(self) -> tuple[Tensor, ...]:
        """The stages `(B, C_s, H_s, W_s)`; raises `TypeError` where there are tokens instead."""
        if self._tokens is not None:
            raise TypeError("these features are tokens, not stages")
        return self._stages

    def __len__(self) -> int:
        """B, the number of images."""
        return len(self._stages[0] if self._tokens is None else self._tokens)

    def __getitem__(self, images: slice | Tensor) -> Features:
        """The features of some of the images, by slice, mask `bool (B,)` or number."""
        return Features(
            tokens=None if self._tokens is None else self._tokens[images],
            stages=[stage[images] for stage in self._stages],
            image=None if self.image is None else self.image[images],
        )

    def to(self, device: torch.device | str) -> Features:
        """The same on `device`."""
        return Features(
            tokens=None if self._tokens is None else self._tokens.to(device),
            stages=[stage.to(device) for stage in self._stages],
            image=None if self.image is None else self.image.to(device),
        )

    def __repr__(self) -> str:
        """The shapes alone."""
        parts = {"tokens": self._tokens, "image": self.image}
        shapes = [f"{name} {(*part.shape,)}" for name, part in parts.items() if part is not None]
        shapes += [f"stage {(*stage.shape,)}" for stage in self._stages]
        return f"Features({', '.join(shapes)})"
