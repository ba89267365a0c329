"""The bundle's ONNX graph in ONNX Runtime, on a GPU where there is one."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mintad.bundle import Bundle, RawPrediction
from mintad.engines.engine import find_graph
from mintad.errors import BundleError, ConfigError
from mintad.system.threads import core_count

OUTPUTS = ("anomaly_map", "raw_score", "product_logits", "class_token", "prior")


class OnnxEngine:
    """Runs whole batches; with CUDA where this build of ONNX Runtime and the machine have it."""

    providers: ClassVar[tuple[str, ...]] = ("CUDAExecutionProvider", "CPUExecutionProvider")
    needed: ClassVar[str] = "CPUExecutionProvider"

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str = "float32",
        live: bool = False,
        described: bool = False,
    ) -> None:
        entry = find_graph(bundle, "onnx", precision)
        available = onnxruntime.get_available_providers()
        if self.needed not in available:
            raise ConfigError(
                f"This build of ONNX Runtime has no {self.needed}.",
                "Install onnxruntime-gpu, or use the engine onnx.",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = core_count()
        options.log_severity_level = 3
        file = bundle.path / entry.file
        chosen = [provider for provider in self.providers if provider in available]
        try:
            self._session = onnxruntime.InferenceSession(file, options, providers=chosen)
        except Exception as error:  # its errors have no base class of their own
            raise BundleError(
                f"ONNX Runtime {onnxruntime.__version__} cannot run {file}: {error}.",
                "Export the bundle once more with `mintad export`, or use another engine.",
            ) from error
        wanted = OUTPUTS if described else OUTPUTS[:3]
        self.outputs = [name for name in wanted if name in entry.outputs]

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, `products` `int64 (B,)`, -1 where to recognise."""
        inputs = {"images": images, "products": products}
        names = {port.name for port in self._session.get_inputs()}
        found = self._session.run(
            self.outputs, {name: array for name, array in inputs.items() if name in names}
        )
        by_name: dict[str, Any] = dict(zip(self.outputs, found, strict=True))
        return RawPrediction(*(by_name.get(name) for name in OUTPUTS))  # type: ignore[arg-type]


class TensorRtEngine(OnnxEngine):
    """The same with TensorRT, which builds its own plan at the start; it takes minutes."""

    providers = ("TensorrtExecutionProvider", *OnnxEngine.providers)
    needed = "TensorrtExecutionProvider"
