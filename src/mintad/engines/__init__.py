"""A graph or a network in, raw predictions out: OpenVINO, ONNX Runtime, torch.

Nothing heavy is imported until an engine is opened.
"""

from typing import TYPE_CHECKING

from mintad.engines.choice import default_engine, engine_names, fastest_engine
from mintad.engines.engine import open_engine, resolve_engine
from mintad.engines.registry import Engine, register_engine
from mintad.lazy import lazy_names

if TYPE_CHECKING:
    from mintad.engines.onnx_engine import OnnxEngine
    from mintad.engines.openvino_engine import OpenVinoEngine
    from mintad.engines.parity import EngineParity, Parity, compare_engines
    from mintad.engines.speed import Speed, measure_engines, resident_memory
    from mintad.engines.torch_engine import TorchEngine

__all__ = [
    "Engine",
    "EngineParity",
    "OnnxEngine",
    "OpenVinoEngine",
    "Parity",
    "Speed",
    "TorchEngine",
    "compare_engines",
    "default_engine",
    "engine_names",
    "fastest_engine",
    "measure_engines",
    "open_engine",
    "register_engine",
    "resident_memory",
    "resolve_engine",
]

__getattr__ = lazy_names(
    __name__,
    {
        "EngineParity": "parity",
        "OnnxEngine": "onnx_engine",
        "OpenVinoEngine": "openvino_engine",
        "Parity": "parity",
        "Speed": "speed",
        "TorchEngine": "torch_engine",
        "compare_engines": "parity",
        "measure_engines": "speed",
        "resident_memory": "speed",
    },
)
