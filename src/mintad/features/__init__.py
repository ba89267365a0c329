"""Frozen backbones and the cache that runs them once per image.

The registry can be read without torch; everything else is imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mintad.features.registry import BackboneSpec, Stage, backbone_spec, list_backbones

if TYPE_CHECKING:
    from mintad.features.backbone import Backbone, BackboneConfig, create_backbone
    from mintad.features.cache import CacheSize, FeatureCache
    from mintad.features.directory import default_cache_directory
    from mintad.features.extraction import stream_features
    from mintad.features.table import FeatureTable

__all__ = [
    "Backbone",
    "BackboneConfig",
    "BackboneSpec",
    "CacheSize",
    "FeatureCache",
    "FeatureTable",
    "Stage",
    "backbone_spec",
    "create_backbone",
    "default_cache_directory",
    "list_backbones",
    "stream_features",
]

_LAZY = {
    "Backbone": "backbone",
    "BackboneConfig": "backbone",
    "create_backbone": "backbone",
    "CacheSize": "cache",
    "FeatureCache": "cache",
    "default_cache_directory": "directory",
    "stream_features": "extraction",
    "FeatureTable": "table",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
