"""What a trained model is on disk: a manifest, weights in safetensors, hashes; never pickle."""

from mintad.bundle.bundle import Bundle, load, write_bundle
from mintad.bundle.manifest import BackboneEntry, FileEntry, Manifest, ModelEntry, ProductEntry
from mintad.bundle.prediction import RawPrediction

__all__ = [
    "BackboneEntry",
    "Bundle",
    "FileEntry",
    "Manifest",
    "ModelEntry",
    "ProductEntry",
    "RawPrediction",
    "load",
    "write_bundle",
]
