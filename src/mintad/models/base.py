"""What every method gives: the loss of a batch, and the anomaly map of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple, Protocol

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.errors import ConfigError
from mintad.layers.enlarging import enlarge


class Batches(Protocol):
    """Gives a fresh pass over the training features, of all products or of one."""

    def __call__(self, product: int | None = None) -> Iterable[tuple[Tensor, Tensor]]:
        """Tokens `float32 (B, P, C)` and products `int64 (B,)`."""


class ModelConfig(BaseModel):
    """A method's switches; every field can be set from a recipe or the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class InputShape(BaseModel):
    """What a model is built for: channels of each backbone stage, grid, image size, products.

    `text_channels` is E, the length of the text embeddings of the products' names; 0 without.
    `stage_grids` (rows, columns) is set where the stages keep their own resolution: an image is
    then one row of all their values, `(B, 1, F)`, and `with_image` says that the prepared image
    itself, `(3, h, w)`, comes first in it. `grids` is set where the image is seen at several
    sizes: the tokens of one grid follow those of the other, and `grid` is a single column.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage_channels: tuple[int, ...]
    grid: tuple[int, int]
    image_size: tuple[int, int]
    products: int
    text_channels: int = 0
    stage_grids: tuple[tuple[int, int], ...] = ()
    with_image: bool = False
    grids: tuple[tuple[int, int], ...] = ()

    @property
    def channels(self) -> int:
        """C, the channels of all stages together; F, the values of a row, with `stage_grids`."""
        if not self.stage_grids:
            return sum(self.stage_channels)
        stages = zip(self.stage_channels, self.stage_grids, strict=True)
        return self.image_values + sum(c * height * width for c, (height, width) in stages)

    @property
    def positions(self) -> int:
        """P, the number of positions of the feature map; 1 with `stage_grids`."""
        return 1 if self.stage_grids else self.grid[0] * self.grid[1]

    @property
    def image_values(self) -> int:
        """How many values of a row are the image's."""
        return 3 * self.image_size[0] * self.image_size[1] if self.with_image else 0


class Prediction(NamedTuple):
    """What a model says of a batch, raw: no threshold, no calibration.

    `anomaly_map` is `float32 (B, h, w)` at the size of the prepared image, `raw_score` is
    `(B,)`, both higher = more anomalous; `product_logits` is `(B, K)`, or None where a method
    does not recognise products.
    """

    anomaly_map: Tensor
    raw_score: Tensor
    product_logits: Tensor | None


class Reconstruction(NamedTuple):
    """What a method compares, and what it made on the way; None for what it does not have.

    `features` and `rebuilt` are `(B, P, C)` in the space where they are compared. `token` `(B, T)`
    tells the images of a product apart, `queries` `(B, P, D)` are made from the image and read by
    the decoder, `product_logits` is `(B, K)`.
    """

    features: Tensor
    rebuilt: Tensor
    token: Tensor | None = None
    queries: Tensor | None = None
    product_logits: Tensor | None = None


class AnomalyModel(nn.Module):
    """A method: backbone tokens in, loss or prediction out. It knows no file and no product name.

    Subclasses set `config_class` and implement `loss` and `predict`; one with a closed form
    implements `fit`, too. `needs_product` says that `predict` must be told the products,
    `needs_text` that `set_product_embeddings` comes before everything else, `one_grid` that the
    image must be seen at one size, `needs_stages` that tokens are rows `(B, 1, F)` of stages at
    their own resolution, `needs_images` that a row begins with the image and that `set_student`
    comes before everything else.
    """

    config_class: ClassVar[type[ModelConfig]]
    needs_product: ClassVar[bool] = False
    needs_text: ClassVar[bool] = False
    one_grid: bool = True
    needs_stages: ClassVar[bool] = False
    needs_images: ClassVar[bool] = False

    def __init__(self, config: ModelConfig, shape: InputShape) -> None:
        super().__init__()
        self.config = config
        self.shape = shape

    def set_product_embeddings(self, embeddings: Tensor) -> None:
        """Takes the text embeddings `(K, E)` of the products' names; for most methods nothing."""

    def set_student(self, network: nn.Module) -> None:
        """Takes a network of the backbone's architecture to train; for most methods nothing."""

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

    def loss(
        self, tokens: Tensor, products: Tensor, seeds: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The parts of the loss and their weighted sum, `"loss"`.

        `tokens` is `(B, P, C)`, `products` is `int64 (B,)`. `seeds` `int64 (B,)` fixes the noise
        that each image gets, whatever batch or process it is in.
        """
        raise NotImplementedError

    def predict(self, tokens: Tensor, products: Tensor | None = None) -> Prediction:
        """Maps, scores and products of `tokens` `(B, P, C)`.

        `products` `int64 (B,)` may name the products; -1 asks the model to recognise one.
        """
        raise NotImplementedError

    def description(self, tokens: Tensor, products: Tensor | None = None) -> dict[str, Tensor]:
        """What else a method can say of each image, by name; nothing by default."""
        return {}

    def reconstruction(
        self, tokens: Tensor, products: Tensor | None = None
    ) -> Reconstruction | None:
        """How `predict` rebuilds tokens `(B, P, C)`; None for a method that rebuilds none."""
        return None

    def named(self, products: Tensor | None) -> Tensor:
        """`products` itself; raises `ConfigError` where one is left for the model to recognise.

        A graph cannot look: there the caller answers for it.
        """
        if products is not None and torch.compiler.is_exporting():
            return products
        if products is None or bool((products < 0).any()):
            raise ConfigError(
                "This method needs to be told the product of every image; it recognises none.",
                "Give it: --product NAME to inspect, --give-product to evaluate.",
            )
        return products

    def upsample(self, grid_map: Tensor) -> Tensor:
        """`(B, H, W)` on the grid to `(B, h, w)` at the size of the prepared image, bilinear."""
        if torch.compiler.is_exporting():
            return enlarge(grid_map.float(), self.shape.image_size)
        return F.interpolate(
            grid_map[:, None].float(), self.shape.image_size, mode="bilinear", align_corners=False
        ).squeeze(1)
