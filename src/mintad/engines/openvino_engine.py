"""An OpenVINO graph on the processor."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import Bundle, RawPrediction
from mintad.engines.registry import find_graph, register_engine
from mintad.errors import BundleError, ConfigError
from mintad.system.compiled_graphs import keep_compiled, read_compiled
from mintad.system.files import file_digest
from mintad.system.processor import has_bfloat16, processor_flags
from mintad.system.threads import core_count


class OpenVinoEngine:
    """One image at a time and several at once: what is found on an image cannot depend on others.

    The graph is compiled for a batch of one. A batch is shared out over as many streams as there
    are cores; `live` compiles one stream that has all of them. What was compiled is kept in the
    user's cache folder.
    """

    def __init__(
        self,
        file: Path,
        outputs: Sequence[str],
        *,
        precision: str = "float32",
        live: bool = False,
    ) -> None:
        """`outputs` are those of the graph's that are wanted.

        Raises `BundleError` where OpenVINO cannot run `file`, `ConfigError` for bfloat16 on a
        processor without.
        """
        from mintad.system.openvino_runtime import Streams, stream_options

        if precision == "bfloat16" and not has_bfloat16():
            raise ConfigError(
                "This processor has no bfloat16 in hardware.", "Use the engine openvino:float32."
            )
        self.outputs = tuple(outputs)
        streams = 1 if live else core_count()
        options = stream_options(streams, "bf16" if precision == "bfloat16" else "f32")
        self._graph = Streams(_compile(file, self.outputs, options), streams)

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, `products` `int64 (B,)`, -1 where to recognise."""
        singles = [
            (images[i : i + 1], products[i : i + 1]) for i in range(len(images))
        ]  # each (1, h, w, 3) and (1,)
        columns = zip(*self._graph.infer_all(singles), strict=True)
        joined = [np.concatenate(column) for column in columns]
        return RawPrediction(**dict(zip(self.outputs, joined, strict=True)))


@register_engine("openvino", package="openvino", graph="openvino")
def open_openvino(bundle: Bundle, precision: str, *, live: bool) -> OpenVinoEngine:
    """The engine of a bundle's OpenVINO graph."""
    file, outputs = find_graph(bundle, "openvino", precision)
    return OpenVinoEngine(file, outputs, precision=precision, live=live)


def _compile(file: Path, outputs: Sequence[str], options: Mapping[str, str]) -> Any:
    """The graph with these outputs alone, for a batch of one; as it was kept, where it was."""
    from mintad.system.openvino_runtime import compile_model, import_model, openvino

    try:
        key = _key(file, outputs, options, openvino.get_version())
        kept = read_compiled(key)
        if kept is not None:
            with suppress(RuntimeError):  # then it is compiled anew
                return import_model(kept, options)
        compiled = compile_model(_read(file, outputs), options)
    except (OSError, RuntimeError, KeyError) as error:
        raise BundleError(
            f"OpenVINO {openvino.__version__} cannot run {file}: {error}.",
            "Export the bundle once more with `mintad export`, or use another engine.",
        ) from error
    with suppress(RuntimeError):  # then it is not kept
        keep_compiled(key, compiled.export_model().getvalue())
    return compiled


def _read(file: Path, outputs: Sequence[str]) -> Any:
    from mintad.system.openvino_runtime import openvino

    model = openvino.Core().read_model(file)
    by_name = {output.get_any_name(): output for output in model.outputs}
    if tuple(by_name) != tuple(outputs):
        nodes = [by_name[name].node for name in outputs]
        model = openvino.Model(nodes, model.get_parameters())
    shapes = {port: port.partial_shape for port in model.inputs}
    for shape in shapes.values():
        shape[0] = 1
    model.reshape(shapes)
    return model


def _key(file: Path, outputs: Sequence[str], options: Mapping[str, str], version: str) -> str:
    """A digest of everything that the compiled graph depends on."""
    weights = file.with_suffix(".bin")
    graph = [file_digest(part) for part in (file, weights) if part.is_file()]
    machine = [platform.machine(), platform.processor(), sorted(processor_flags())]
    known = json.dumps([graph, list(outputs), dict(options), version, machine])
    return hashlib.sha256(known.encode()).hexdigest()
