"""A graph in, raw predictions out: OpenVINO, ONNX Runtime, torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mintad.engines.engine import Engine, open_engine
from mintad.lazy import lazy_names

if TYPE_CHECKING:
    from mintad.engines.torch_engine import TorchEngine

__all__ = ["Engine", "TorchEngine", "open_engine"]

__getattr__ = lazy_names(__name__, {"TorchEngine": "torch_engine"})
