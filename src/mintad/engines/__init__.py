"""A graph in, raw predictions out: OpenVINO, ONNX Runtime, torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mintad.engines.engine import Engine, open_engine

if TYPE_CHECKING:
    from mintad.engines.torch_engine import TorchEngine

__all__ = ["Engine", "TorchEngine", "open_engine"]


def __getattr__(name: str) -> Any:
    if name != "TorchEngine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mintad.engines.torch_engine import TorchEngine

    return TorchEngine
