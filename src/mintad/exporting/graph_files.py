"""Graph files that are in no bundle yet: written, and run for any batch size to be checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from mintad.bundle import RawPrediction
from mintad.engines.openvino_engine import compile_graph
from mintad.errors import MissingExtraError


def write_openvino(source: Path, target: Path) -> None:
    """Writes the ONNX graph `source` as OpenVINO's, its weights as they are, in float32."""
    model = openvino.convert_model(source)
    openvino.save_model(model, target, compress_to_fp16=False)


class OpenVinoFile:
    """An engine over an OpenVINO file; `hint` is OpenVINO's name of the precision."""

    def __init__(self, file: Path, outputs: tuple[str, ...], hint: str) -> None:
        self._outputs = outputs
        self._model = compile_graph(file, list(outputs), {"INFERENCE_PRECISION_HINT": hint})

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, `products` `int64 (B,)`, -1 where to recognise."""
        found = self._model([images, products])
        return RawPrediction(**{name: found[i] for i, name in enumerate(self._outputs)})


class OnnxFile:
    """An engine over an ONNX file, on the processor."""

    def __init__(self, file: Path, outputs: tuple[str, ...]) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtraError("Checking an ONNX graph", "onnx") from error
        self._outputs = outputs
        self._session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, `products` `int64 (B,)`, -1 where to recognise."""
        found = self._session.run(list(self._outputs), {"images": images, "products": products})
        return RawPrediction(**dict(zip(self._outputs, found, strict=True)))
