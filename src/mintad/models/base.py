"""What every method gives: the loss of a batch, and the anomaly map of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F


class Batches(Protocol):
    """Gives a fresh pass over the training features, of all products or of one."""

    def __call__(self, product: int | None = None) -> Iterable[tuple[Tensor, Tensor]]:
        """Tokens `float32 (B, P, C)` and products `int64 (B,)`."""


class ModelConfig(BaseModel):
    """A method's switches; every field can be set from a recipe or the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class InputShape(BaseModel):
    """What a model is built for: channels of each backbone stage, grid, image size, products."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage_channels: tuple[int, ...]
    grid: tuple[int, int]
    image_size: tuple[int, int]
    products: int

    @property
    def channels(self) -> int:
        """C, the channels of all stages together."""
        return sum(self.stage_channels)

    @property
    def positions(self) -> int:
        """P, the number of positions of the feature map."""
        return self.grid[0] * self.grid[1]


class Prediction(NamedTuple):
    """What a model says of a batch, raw: no threshold, no calibration.

    `anomaly_map` is `float32 (B, h, w)` at the size of the prepared image, `image_score` is
    `(B,)`, both higher = more anomalous; `product_logits` is `(B, K)`, or None where a method
    does not recognise products.
    """

    anomaly_map: Tensor
    image_score: Tensor
    product_logits: Tensor | None


class AnomalyModel(nn.Module):
    """A method: backbone tokens in, loss or prediction out. It knows no file and no product name.

    Subclasses set `config_class` and implement `loss` and `predict`; one with a closed form
    implements `fit`, too.
    """

    config_class: ClassVar[type[ModelConfig]]
    needs_product: ClassVar[bool] = False

    def __init__(self, config: ModelConfig, shape: InputShape) -> None:
        super().__init__()
        self.config = config
        self.shape = shape

    def fit(self, batches: Batches) -> None:
        """Whatever is found in closed form, before any gradient step; nothing by default."""

    def held_out_scores(self, batches: Batches, product: int) -> Tensor | None:
        """Raw image scores `(N,)` of a product's good images, each by a fit that has not seen it.

        None where the method has no closed form to fit again: images must be held out for it.
        """
        return None

    @property
    def trainable(self) -> bool:
        """Whether anything is left for gradient steps."""
        return any(parameter.requires_grad for parameter in self.parameters())

    def loss(self, tokens: Tensor, products: Tensor) -> dict[str, Tensor]:
        """The parts of the loss and their weighted sum, `"loss"`.

        `tokens` is `(B, P, C)`, `products` is `int64 (B,)`.
        """
        raise NotImplementedError

    def predict(self, tokens: Tensor, products: Tensor | None = None) -> Prediction:
        """Maps, scores and products of `tokens` `(B, P, C)`.

        `products` `int64 (B,)` may name the products; -1 asks the model to recognise one.
        """
        raise NotImplementedError

    def upsample(self, grid_map: Tensor) -> Tensor:
        """`(B, H, W)` on the grid to `(B, h, w)` at the size of the prepared image, bilinear."""
        return F.interpolate(
            grid_map[:, None].float(), self.shape.image_size, mode="bilinear", align_corners=False
        )[:, 0]
