"""The manifest of a bundle: everything that is known of a model, in one JSON file."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import PurePath
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mintad.backbones import ResolvedConfig
from mintad.data import Preprocessing
from mintad.features import FeatureShape

GraphFormat = Literal["openvino", "onnx"]
Precision = Literal["float32", "bfloat16", "int8"]

FORMAT: Final = 3
"""The version of the layout; a reader refuses any other."""


_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")


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

    name: str = Field(min_length=1)
    train_images: int = Field(ge=0)
    held_out_images: int = Field(default=0, ge=0)
    centre: float = Field(default=0.0, allow_inf_nan=False)
    spread: float = Field(default=1.0, gt=0, allow_inf_nan=False)


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
    """A bundle's manifest; `graph_problem` says why there are no `graphs`.

    `files` are all files that may be used, plain names in one folder, which `version` names.
    `digest` is the SHA-256 of everything else in the manifest.
    """

    format: Literal[3] = FORMAT
    digest: str = ""
    mintad: str
    created: str
    products: tuple[ProductEntry, ...] = Field(min_length=1)
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

    @field_validator("files")
    @classmethod
    def _plain_names(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        for name in files:
            if not _PLAIN_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the plain name of a file")
        return files

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        names = self.product_names
        if len(set(names)) < len(names):
            raise ValueError("two products have one name")
        if self.model.shape.image_size != (self.preprocessing.height, self.preprocessing.width):
            raise ValueError("model.shape is that of images of another size than preprocessing's")
        if self.files:
            used = [graph.file for graph in self.graphs]
            used += [weights_file(graph) for graph in self.graphs if graph.format == "openvino"]
            for name in used:
                if name not in self.files:
                    raise ValueError(f"the graph's file {name} is not listed in files")
        return self

    @property
    def version(self) -> str:
        """The name of the folder of the files: a digest of what they hold."""
        entries = {name: entry.sha256 for name, entry in self.files.items()}
        return _digest(entries)[:16]

    def computed_digest(self) -> str:
        """What `digest` must be."""
        return _digest(self.model_dump(mode="json", exclude={"digest"}))

    def listing(self, files: dict[str, FileEntry]) -> Manifest:
        """The same with these files, and the digest of it all."""
        content = self.model_dump(mode="json", exclude={"digest"})
        content["files"] = {name: entry.model_dump() for name, entry in files.items()}
        return Manifest.model_validate(content | {"digest": _digest(content)})

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


def weights_file(graph: GraphEntry) -> str:
    """The file beside an OpenVINO graph that holds its weights."""
    return PurePath(graph.file).with_suffix(".bin").name


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
