"""What a trained model is on disk: a manifest, weights in safetensors, hashes; never pickle."""

from mintad.bundle.bundle import (
    BACKBONE_FILE,
    MODEL_FILE,
    Bundle,
    extend_bundle,
    load,
    write_bundle,
)
from mintad.bundle.manifest import (
    BackboneEntry,
    FileEntry,
    GraphEntry,
    GraphFormat,
    Manifest,
    ModelEntry,
    Precision,
    ProductEntry,
)
from mintad.bundle.prediction import INSPECTION_OUTPUTS, RawPrediction

__all__ = [
    "BACKBONE_FILE",
    "INSPECTION_OUTPUTS",
    "MODEL_FILE",
    "BackboneEntry",
    "Bundle",
    "FileEntry",
    "GraphEntry",
    "GraphFormat",
    "Manifest",
    "ModelEntry",
    "Precision",
    "ProductEntry",
    "RawPrediction",
    "extend_bundle",
    "load",
    "write_bundle",
]
