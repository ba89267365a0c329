"""One graph from prepared pixels to raw map, score and product: the network as ONNX."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mintad.assembly import Network, load_network
from mintad.bundle import Bundle, RawPrediction
from mintad.errors import ConfigError

INPUTS = ("images", "products")
MOST_IMAGES = 4096
"""The largest batch that a graph is declared for."""


class NetworkEngine:
    """The network in torch, on the processor: what its graphs are compared with."""

    def __init__(self, bundle: Bundle) -> None:
        self.network = load_network(bundle)

    @torch.inference_mode()
    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, `products` `int64 (B,)`, -1 where to recognise."""
        found = self.network(torch.from_numpy(images), torch.from_numpy(products))
        return RawPrediction(**{name: value.numpy() for name, value in found.items()})


def write_onnx(network: Network, file: Path) -> tuple[str, ...]:
    """Writes the network as ONNX with a free batch size; the names of its outputs.

    Raises `ConfigError` for a method that cannot be written as one graph.
    """
    height, width = network.image_size
    images = torch.zeros(3, height, width, 3, dtype=torch.uint8)
    products = torch.zeros(3, dtype=torch.int64)
    batch = torch.export.Dim("batch", min=1, max=MOST_IMAGES)
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
    except Exception as error:  # the exporters raise whatever the graph leads them into
        cause = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(
            f"The method cannot be written as a graph: {cause[0]}.",
            "Inspect with the engine torch.",
        ) from error
    return names


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
