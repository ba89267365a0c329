"""The bundle's OpenVINO graph on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from mintad.bundle import Bundle, RawPrediction
from mintad.engines.engine import find_graph
from mintad.errors import BundleError, ConfigError
from mintad.system.directory import default_cache_directory
from mintad.system.processor import has_bfloat16
from mintad.system.streams import Streams, stream_options
from mintad.system.threads import core_count

DESCRIPTION = ("class_token", "prior")


class OpenVinoEngine:
    """One image at a time and several at once: what is found on an image cannot depend on others.

    The graph is compiled for a batch of one. A batch is shared out over as many streams as there
    are cores; `live` compiles one stream that has all of them. What was compiled is kept in the
    user's cache folder.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str = "float32",
        live: bool = False,
        described: bool = False,
    ) -> None:
        entry = find_graph(bundle, "openvino", precision)
        if precision == "bfloat16" and not has_bfloat16():
            raise ConfigError(
                "This processor has no bfloat16 in hardware.", "Use the engine openvino:float32."
            )
        self.streams = 1 if live else core_count()
        self.outputs = [name for name in entry.outputs if described or name not in DESCRIPTION]
        options = stream_options(self.streams, "bf16" if precision == "bfloat16" else "f32")
        model = compile_graph(bundle.path / entry.file, self.outputs, options | _cache(), batch=1)
        preprocessing = bundle.manifest.preprocessing
        blank = np.zeros((1, preprocessing.height, preprocessing.width, 3), np.uint8)
        self._graph = Streams(model, self.streams, (blank, np.zeros(1, np.int64)))

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, `products` `int64 (B,)`, -1 where to recognise."""
        singles = [
            (images[i : i + 1], products[i : i + 1]) for i in range(len(images))
        ]  # each (1, h, w, 3) and (1,)
        found = self._graph.infer_all(singles)
        joined = {
            name: np.concatenate([parts[i] for parts in found])
            for i, name in enumerate(self.outputs)
        }
        return RawPrediction(
            joined["anomaly_map"],
            joined["raw_score"],
            *(joined.get(name) for name in ("product_logits", *DESCRIPTION)),
        )


def compile_graph(
    file: Path, outputs: list[str] | None, options: dict[str, Any], batch: int | None = None
) -> Any:
    """The compiled graph with these outputs alone (None: all), for a batch of that size or of any.

    Raises `BundleError` where OpenVINO cannot read or compile it.
    """
    core = openvino.Core()
    try:
        model = core.read_model(file)
        if outputs is not None:
            model = _with_outputs(model, outputs)
        if batch is not None:
            shapes = {port: port.partial_shape for port in model.inputs}
            for shape in shapes.values():
                shape[0] = batch
            model.reshape(shapes)
        return core.compile_model(model, "CPU", options)
    except (RuntimeError, KeyError) as error:
        raise BundleError(
            f"OpenVINO {openvino.__version__} cannot run {file}: {error}.",
            "Export the bundle once more with `mintad export`, or use another engine.",
        ) from error


def _with_outputs(model: Any, outputs: list[str]) -> Any:
    by_name = {output.get_any_name(): output for output in model.outputs}
    if list(by_name) == outputs:
        return model
    return openvino.Model([by_name[name].node for name in outputs], model.get_parameters())


def _cache() -> dict[str, str]:
    folder = default_cache_directory() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {}  # it is compiled anew each time
    return {"CACHE_DIR": str(folder)}
