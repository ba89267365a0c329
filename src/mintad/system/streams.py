"""OpenVINO on a processor: one image at a time in each stream, several streams side by side.

What is found on an image then cannot depend on the others of its batch.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mintad.system.threads import core_count

Inputs = Sequence[NDArray[Any]]
"""What a graph takes for one image, each array with a batch of one."""


def stream_options(streams: int, precision: str = "f32") -> dict[str, str]:
    """How OpenVINO compiles a graph for `Streams`; `precision` is its own name, f32 or bf16."""
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(core_count()),
    }


class Streams:
    """A compiled graph with a request and a thread for each stream.

    `first` is inferred before there are threads: OpenVINO's Python side looks numpy up in its first
    inference, and when two threads do so at once, each can come to wait for the other for ever.
    """

    def __init__(self, compiled: Any, streams: int, first: Inputs) -> None:
        self._outputs = range(len(compiled.outputs))
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(streams):
            self._requests.put(compiled.create_infer_request())
        self._threads = ThreadPoolExecutor(streams, thread_name_prefix="mintad-infer")
        self.infer(first)

    def infer(self, inputs: Inputs) -> list[NDArray[Any]]:
        """The outputs of one image; may be called from several threads at once."""
        request = self._requests.get()
        try:
            request.infer(list(inputs), share_inputs=True)
            return [np.array(request.get_output_tensor(i).data) for i in self._outputs]
        finally:
            self._requests.put(request)

    def infer_all(self, images: Sequence[Inputs]) -> list[list[NDArray[Any]]]:
        """The outputs of each image, in their order; a single one stays in the caller's thread."""
        run = map if len(images) == 1 else self._threads.map
        return list(run(self.infer, images))
