"""The backbone as an OpenVINO graph: on a processor, the same features in far less time."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import openvino
import torch
from torch import Tensor

from mintad.backbones.backbone import Backbone
from mintad.system.streams import Streams, stream_options
from mintad.system.threads import core_count

Network = Callable[[Tensor], Tensor]
"""From normalised images `float32 (B, 3, h, w)` to features `(B, C, H, W)`."""

TOLERANCE = 1e-4
"""The largest deviation from torch, of the largest feature."""


def accelerate(backbone: Backbone, image: Tensor) -> Network:
    """The backbone compiled for images of the size of `image` `(1, 3, h, w)`, or itself.

    It stays itself on a graphics card, where OpenVINO cannot read it, and where the features of
    `image` differ from torch's by more than `TOLERANCE`, as they do when they are not finite.
    """
    if next(backbone.parameters()).device.type != "cpu":
        return backbone
    try:
        network = _compiled(backbone, image)
    except Exception as error:  # the converter raises whatever the network leads it into
        logging.getLogger(__name__).debug("OpenVINO does not take the backbone: %s", error)
        return backbone
    with torch.inference_mode():
        expected = backbone(image)
    deviation = (network(image) - expected).abs().max() / expected.abs().max()
    return network if deviation <= TOLERANCE else backbone


def _compiled(backbone: Backbone, image: Tensor) -> Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on shapes that are fixed here
        model = openvino.convert_model(backbone, example_input=image, input=[*image.shape])
    options = stream_options(core_count())
    compiled = openvino.Core().compile_model(model, "CPU", options)
    graph = Streams(compiled, core_count(), [image.contiguous().numpy()])

    def network(images: Tensor) -> Tensor:
        pixels = images.contiguous().numpy()
        singles = [[pixels[i : i + 1]] for i in range(len(pixels))]  # each (1, 3, h, w)
        return torch.cat([torch.from_numpy(found) for (found,) in graph.infer_all(singles)])

    return network
