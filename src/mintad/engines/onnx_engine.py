"""An ONNX graph in ONNX Runtime, on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import Bundle, RawPrediction
from mintad.engines.registry import find_graph, register_engine
from mintad.errors import BundleError, ConfigError
from mintad.system.threads import core_count

PROCESSOR = ("CPUExecutionProvider",)
GPU_FIRST = ("CUDAExecutionProvider", *PROCESSOR)
TENSORRT_FIRST = ("TensorrtExecutionProvider", *GPU_FIRST)


class OnnxEngine:
    """Runs whole batches, with the first of `providers` that this build of ONNX Runtime has."""

    def __init__(
        self, file: Path, outputs: Sequence[str], *, providers: Sequence[str] = GPU_FIRST
    ) -> None:
        """`outputs` are those of the graph's that are wanted.

        Raises `BundleError` where ONNX Runtime cannot run `file`.
        """
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        available = onnxruntime.get_available_providers()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = core_count()
        options.log_severity_level = 3
        chosen = [provider for provider in providers if provider in available]
        try:
            self._session = onnxruntime.InferenceSession(file, options, providers=chosen)
        except Exception as error:  # its errors have no base class of their own
            raise BundleError(
                f"ONNX Runtime {onnxruntime.__version__} cannot run {file}: {error}.",
                "Export the bundle once more with `mintad export`, or use another engine.",
            ) from error
        self.outputs = tuple(outputs)

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, `products` `int64 (B,)`, -1 where to recognise."""
        arrays = self._session.run(self.outputs, {"images": images, "products": products})
        return RawPrediction(**dict(zip(self.outputs, arrays, strict=True)))


@register_engine("onnx", package="onnxruntime", extra="onnx", graph="onnx")
def open_onnx(bundle: Bundle, precision: str, *, live: bool) -> OnnxEngine:
    """The engine of a bundle's ONNX graph; one image has all cores in any case."""
    return OnnxEngine(*find_graph(bundle, "onnx", precision))


@register_engine("tensorrt", package="onnxruntime", extra="onnx", graph="onnx", listed=False)
def open_tensorrt(bundle: Bundle, precision: str, *, live: bool) -> OnnxEngine:
    """The same with TensorRT, which builds its own plan at the start; it takes minutes.

    Raises `ConfigError` for a build of ONNX Runtime without it.
    """
    import onnxruntime

    if TENSORRT_FIRST[0] not in onnxruntime.get_available_providers():
        raise ConfigError(
            f"This build of ONNX Runtime has no {TENSORRT_FIRST[0]}.",
            "Install onnxruntime-gpu, or use the engine onnx.",
        )
    return OnnxEngine(*find_graph(bundle, "onnx", precision), providers=TENSORRT_FIRST)
