"""What every method gives: the loss of a batch, and the anomaly map of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from mintad.errors import ConfigError
from mintad.features import FeatureKind, Features, FeatureShape
from mintad.layers.enlarging import enlarge


class Batches(Protocol):
    """Gives a fresh pass over the training features, of all products or of one."""

    def __call__(self, product: int | None = None) -> Iterable[tuple[Features, Tensor]]:
        """Features of B images and their products `int64 (B,)`."""


class ModelConfig(BaseModel):
    """A method's switches; every field can be set from a recipe or the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TextConfig(ModelConfig):
    """Where the text embeddings of the products' names come from.

    `text_encoder` names a frozen encoder (see `mintad.backbones.text`); `template` is what it
    reads, with the product's name in the place of `{product}`.
    """

    text_encoder: str = ""
    template: str = "a photo of a normal {product}"


@dataclass(frozen=True)
class Requirements:
    """What a method needs, checked where a model is made.

    `features` is their kind; with `image` the prepared image comes with them. `product` says that
    `predict` must be told the product of every image. With `text` the constructor takes `texts`,
    the embeddings `(K, E)` of the products' names, and the switches are a `TextConfig`; with
    `student` it takes `student`, a network of the backbone's architecture to train, which maps
    images `(B, 3, h, w)` to a list of stages like the backbone's.
    """

    features: FeatureKind = "tokens"
    image: bool = False
    product: bool = False
    text: bool = False
    student: bool = False


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
    """A method: a backbone's features in, loss or prediction out. It knows no file and no name.

    Subclasses say what they need in `requirements`, set `config_class` and implement `loss` and
    `predict`; one with a closed form implements `fit`, too. `shape` is that of the features,
    `products` is K, the number of products.
    """

    config_class: ClassVar[type[ModelConfig]]
    requirements: ClassVar[Requirements] = Requirements()

    def __init__(self, config: ModelConfig, shape: FeatureShape, products: int) -> None:
        super().__init__()
        self.config = config
        self.shape = shape
        self.products = products

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
        self, features: Features, products: Tensor, seeds: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The parts of the loss and their weighted sum, `"loss"`.

        `products` is `int64 (B,)`. `seeds` `int64 (B,)` fixes the noise that each image gets,
        whatever batch or process it is in.
        """
        raise NotImplementedError

    def predict(self, features: Features, products: Tensor | None = None) -> Prediction:
        """Maps, scores and products of B images.

        `products` `int64 (B,)` may name the products; -1 asks the model to recognise one.
        """
        raise NotImplementedError

    def description(self, features: Features, products: Tensor | None = None) -> dict[str, Tensor]:
        """What else a method can say of each image, by name; nothing by default."""
        return {}

    def reconstruction(
        self, features: Features, products: Tensor | None = None
    ) -> Reconstruction | None:
        """How `predict` rebuilds tokens; None for a method that rebuilds none."""
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


def single_grid(shape: FeatureShape) -> tuple[int, int]:
    """The grid (H, W) of a method that sees an image at one size.

    Raises `ConfigError` where the image is seen at several.
    """
    if len(shape.grids) != 1:
        raise ConfigError(
            "With these switches the method sees an image at one size; the recipe's backbone "
            f"gives {len(shape.grids)}.",
            "Leave backbone.also_at out; mint-ad takes it with switches.transformer=false.",
        )
    return shape.grids[0]
