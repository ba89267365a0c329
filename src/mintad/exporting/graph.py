"""One graph from prepared pixels to raw map, score and product: the network as ONNX or OpenVINO."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from mintad.assembly import Network
from mintad.errors import ConfigError
from mintad.system.openvino_runtime import openvino

INPUTS = ("images", "products")
MOST_IMAGES = 4096
"""The largest batch that a graph is declared for."""


def write_onnx(network: Network, file: Path) -> tuple[str, ...]:
    """Writes the network as ONNX with a free batch size; the names of its outputs.

    Raises `ConfigError` for a method that cannot be written as one graph, `OSError` for a place
    that cannot be written.
    """
    height, width = network.image_size
    images = torch.zeros(3, height, width, 3, dtype=torch.uint8)
    products = torch.zeros(3, dtype=torch.int64)
    batch = torch.export.Dim("batch", min=1, max=MOST_IMAGES)
    # autograd that starts only after an export keeps threads, and a training could not be forked
    torch.zeros(1, requires_grad=True).sum().backward()  # type: ignore[no-untyped-call]
    try:
        with torch.no_grad(), _quiet():
            program = torch.export.export(
                network,
                (images, products),
                dynamic_shapes={"images": {0: batch}, "products": {0: batch}},
            )
            names = tuple(network(images, products))
            written = torch.onnx.export(
                program, dynamo=True, input_names=INPUTS, output_names=names, verbose=False
            )
            assert written is not None
            written.save(file)
    except OSError:
        raise
    except Exception as error:  # the exporters raise whatever the graph leads them into
        cause = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(
            f"The method cannot be written as a graph: {cause[0]}.",
            "Inspect with the engine torch.",
        ) from error
    return names


def write_openvino(source: Path, target: Path) -> None:
    """Writes the ONNX graph `source` as OpenVINO's, its weights as they are, in float32."""
    model = openvino.convert_model(source)
    openvino.save_model(model, target, compress_to_fp16=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporters' chatter, which is for their own developers, goes nowhere."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
