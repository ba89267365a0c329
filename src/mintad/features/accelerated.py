"""The backbone as an OpenVINO graph: on a processor, the same features in far less time."""

from __future__ import annotations

import logging
import queue
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openvino
import torch
from torch import Tensor

from mintad.data.threads import core_count
from mintad.features.backbone import Backbone

Network = Callable[[Tensor], Tensor]
"""From normalised images `float32 (B, 3, h, w)` to features `(B, C, H, W)`."""

TOLERANCE = 1e-4
"""The largest deviation from torch, of the largest feature."""


def accelerate(backbone: Backbone, images: Tensor) -> Network:
    """The backbone compiled for images of this size `(B, 3, h, w)`, or itself.

    It stays itself on a graphics card, where OpenVINO cannot read it, and where the features of
    `images` differ from torch's by more than `TOLERANCE`, as they do when they are not finite.
    """
    if next(backbone.parameters()).device.type != "cpu":
        return backbone
    try:
        network = _Compiled(backbone, images[:1])
    except Exception as error:  # the converter raises whatever the network leads it into
        logging.getLogger(__name__).debug("OpenVINO does not take the backbone: %s", error)
        return backbone
    with torch.inference_mode():
        expected = backbone(images[:1])
    deviation = (network(images[:1]) - expected).abs().max() / expected.abs().max()
    return network if deviation <= TOLERANCE else backbone


class _Compiled:
    """One image at a time on each core, so that its features depend on no other image."""

    def __init__(self, backbone: Backbone, image: Tensor) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's, on shapes that are fixed here
            model = openvino.convert_model(backbone, example_input=image, input=[*image.shape])
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": str(core_count()),
            "INFERENCE_NUM_THREADS": str(core_count()),
        }
        compiled = openvino.Core().compile_model(model, "CPU", options)
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(core_count()):
            self._requests.put(compiled.create_infer_request())
        self._threads = ThreadPoolExecutor(core_count(), thread_name_prefix="mintad-backbone")

    def __call__(self, images: Tensor) -> Tensor:
        singles = [images[i : i + 1] for i in range(len(images))]  # each (1, 3, h, w)
        run = map if len(singles) == 1 else self._threads.map
        return torch.cat(list(run(self._infer, singles)))

    def _infer(self, image: Tensor) -> Tensor:
        request = self._requests.get()
        try:
            request.infer([image.contiguous().numpy()], share_inputs=True)
            return torch.from_numpy(request.get_output_tensor(0).data.copy())
        finally:
            self._requests.put(request)
