"""The backbone as an OpenVINO graph: on a processor, the same features in far less time."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mintad.backbones.backbone import Backbone
from mintad.backbones.packing import pack
from mintad.system.openvino_runtime import Streams, compile_model, openvino, stream_options
from mintad.system.threads import core_count

Network = Callable[[Tensor], Tensor]
"""From normalised images `float32 (B, 3, h, w)` to the rows `(B, P, C)` that `pack` makes."""

TOLERANCE = 1e-4
"""The largest deviation from torch, of the largest feature."""


class Packed(nn.Module):
    """A backbone whose features come as rows."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images `float32 (B, 3, h, w)` to rows `(B, P, C)`."""
        return pack(self.backbone(images))


def accelerate(backbone: Backbone, image: Tensor) -> Network:
    """The backbone compiled for images of the size of `image` `(1, 3, h, w)`, or as torch runs it.

    It stays torch's on a graphics card, where OpenVINO cannot read it, and where the features of
    `image` differ from torch's by more than `TOLERANCE`, as they do when they are not finite.
    """
    packed = Packed(backbone)
    if next(backbone.parameters()).device.type != "cpu":
        return packed
    try:
        network = _compiled(packed, image)
    except Exception as error:  # the converter raises whatever the network leads it into
        logging.getLogger(__name__).debug("OpenVINO does not take the backbone: %s", error)
        return packed
    with torch.inference_mode():
        expected = packed(image)
    deviation = (network(image) - expected).abs().max() / expected.abs().max()
    return network if deviation <= TOLERANCE else packed


def _compiled(packed: Packed, image: Tensor) -> Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on shapes that are fixed here
        model = openvino.convert_model(packed, example_input=image, input=[*image.shape])
    compiled = compile_model(model, stream_options(core_count()))
    graph = Streams(compiled, core_count())

    def network(images: Tensor) -> Tensor:
        pixels = images.contiguous().numpy()
        singles = [[pixels[i : i + 1]] for i in range(len(pixels))]  # each (1, 3, h, w)
        return torch.cat([torch.from_numpy(rows) for (rows,) in graph.infer_all(singles)])

    return network
