"""The manifest of a bundle: everything that is known of a model, in one JSON file."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from mintad.data import Preprocessing

FORMAT: Final = 1
"""The version of the layout; a reader refuses any other."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Entry):
    """A file of the bundle, as it must be."""

    sha256: str
    bytes: int


class ProductEntry(_Entry):
    """A product: its good training images, and the scale of its scores.

    A calibrated score is `(raw - centre) / spread`; both come from held-out good images.
    """

    name: str
    train_images: int
    held_out_images: int = 0
    centre: float = 0.0
    spread: float = 1.0


class ModelEntry(_Entry):
    """The method with its switches, and the shapes it was built for.

    `needs_product` says that it must be told the product of every image.
    """

    name: str
    switches: dict[str, Any]
    stage_channels: tuple[int, ...]
    grid: tuple[int, int]
    text_channels: int = 0
    parameters: int
    needs_product: bool = False


class BackboneEntry(_Entry):
    """The frozen backbone and where its weights come from."""

    name: str
    stages: tuple[int, ...]
    stride: int
    sampling: Literal["bilinear", "area"]
    channels: int
    digest: str
    weights_source: str
    licence: str


class Manifest(_Entry):
    """A bundle's manifest, version 1."""

    format: Literal[1] = FORMAT
    mintad: str
    created: str
    products: tuple[ProductEntry, ...]
    preprocessing: Preprocessing
    backbone: BackboneEntry
    model: ModelEntry
    recipe: dict[str, Any]
    metrics: dict[str, float] = {}
    data: dict[str, Any] = {}
    versions: dict[str, str] = {}
    licences: dict[str, str] = {}
    files: dict[str, FileEntry] = {}

    @property
    def product_names(self) -> tuple[str, ...]:
        """The products in the order of the model's numbers."""
        return tuple(product.name for product in self.products)
