"""Frozen backbones and the cache that runs them once per image.

Config and registry can be read without torch; everything else is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mintad.backbones.config import BackboneConfig, ResolvedConfig
from mintad.backbones.registry import (
    BackboneSpec,
    Stage,
    backbone_spec,
    list_backbones,
    register_backbone,
)
from mintad.lazy import lazy_names

if TYPE_CHECKING:
    from mintad.backbones.backbone import Backbone, create_backbone, restore_backbone
    from mintad.backbones.cache import FeatureCache
    from mintad.backbones.extraction import backbone_rows, stream_features
    from mintad.backbones.packing import pack, row_shape, unpack
    from mintad.backbones.student import create_student
    from mintad.backbones.table import FeatureTable
    from mintad.backbones.text import embed_products

__all__ = [
    "Backbone",
    "BackboneConfig",
    "BackboneSpec",
    "FeatureCache",
    "FeatureTable",
    "ResolvedConfig",
    "Stage",
    "backbone_rows",
    "backbone_spec",
    "create_backbone",
    "create_student",
    "embed_products",
    "list_backbones",
    "pack",
    "register_backbone",
    "restore_backbone",
    "row_shape",
    "stream_features",
    "unpack",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Backbone": "backbone",
        "FeatureCache": "cache",
        "FeatureTable": "table",
        "backbone_rows": "extraction",
        "create_backbone": "backbone",
        "create_student": "student",
        "embed_products": "text",
        "pack": "packing",
        "restore_backbone": "backbone",
        "row_shape": "packing",
        "stream_features": "extraction",
        "unpack": "packing",
    },
)
