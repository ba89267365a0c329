"""The manifest of a bundle: everything that is known of a model, in one JSON file."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from mintad.backbones import ResolvedConfig
from mintad.data import Preprocessing
from mintad.features import FeatureShape

GraphFormat = Literal["openvino", "onnx"]
Precision = Literal["float32", "bfloat16", "int8"]

FORMAT: Final = 2
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
    """The method with its switches, and what it was built for.

    `shape` is that of the features it takes, `text_channels` the length of the text embeddings of
    the products' names, 0 without. `needs_product` says that it must be told the product of every
    image.
    """

    name: str
    switches: dict[str, Any]
    shape: FeatureShape
    text_channels: int = 0
    parameters: int
    needs_product: bool = False


class BackboneEntry(_Entry):
    """The frozen backbone as it was built, and where its weights come from."""

    config: ResolvedConfig
    digest: str
    weights_source: str
    licence: str


class GraphEntry(_Entry):
    """The network as a file that runs without torch, and how far it is from torch.

    `file` takes `uint8 (B, h, w, 3)` prepared images and products `int64 (B,)`, and gives
    `outputs` in this order. OpenVINO keeps the weights in a second file beside it; its bfloat16
    is the same file, run otherwise. `map_deviation` is the largest difference of an anomaly map
    from torch's over that map's largest value, `score_deviation` that of the image scores, each
    over its score. For a lower precision `auroc` was measured on good images against damaged
    copies of them, and `auroc_change` is what it gained or lost against float32.
    """

    format: GraphFormat
    precision: Precision
    file: str
    outputs: tuple[str, ...]
    images: int
    map_deviation: float
    score_deviation: float
    auroc: float | None = None
    auroc_change: float | None = None


class Manifest(_Entry):
    """A bundle's manifest; `graph_problem` says why there are no `graphs`."""

    format: Literal[2] = FORMAT
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
    graphs: tuple[GraphEntry, ...] = ()
    graph_problem: str = ""

    def graph(self, format: GraphFormat, precision: str) -> GraphEntry | None:
        """The graph of a format and precision, None where the bundle has none."""
        for entry in self.graphs:
            if (entry.format, entry.precision) == (format, precision):
                return entry
        return None

    @property
    def product_names(self) -> tuple[str, ...]:
        """The products in the order of the model's numbers."""
        return tuple(product.name for product in self.products)
