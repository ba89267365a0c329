"""Frozen backbones and the cache that runs them once per image.

The registry can be read without torch; everything else is imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mintad.backbones.registry import BackboneSpec, Stage, backbone_spec, list_backbones

if TYPE_CHECKING:
    from mintad.backbones.backbone import Backbone, BackboneConfig, create_backbone
    from mintad.backbones.cache import CacheSize, FeatureCache
    from mintad.backbones.extraction import stream_features
    from mintad.backbones.table import FeatureTable

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
    "list_backbones",
    "stream_features",
]

_LAZY = {
    "Backbone": "backbone",
    "BackboneConfig": "backbone",
    "create_backbone": "backbone",
    "CacheSize": "cache",
    "FeatureCache": "cache",
    "stream_features": "extraction",
    "FeatureTable": "table",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
