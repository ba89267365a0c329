"""A graph in, raw predictions out: OpenVINO, ONNX Runtime, torch."""

from mintad.engines.engine import Engine, open_engine

__all__ = ["Engine", "open_engine"]
