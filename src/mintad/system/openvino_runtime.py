"""OpenVINO on a processor: imported here and nowhere else (`import mintad` has silenced it).

A graph computes one image at a time in each stream, several streams side by side: what is found on
an image then cannot depend on the others of its batch.
"""

from __future__ import annotations

import ctypes
import os
import queue
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakSet

import numpy as np
import openvino
from numpy.typing import NDArray

from mintad.errors import ConfigError
from mintad.system.threads import core_count

__all__ = ["Inputs", "Streams", "compile_model", "import_model", "openvino", "stream_options"]

Inputs = Sequence[NDArray[Any]]
"""What a graph takes for one image, each array with a batch of one."""


def stream_options(streams: int, precision: str = "f32") -> dict[str, str]:
    """How OpenVINO compiles a graph for `Streams`; `precision` is its own name, f32 or bf16."""
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(core_count()),
    }


def compile_model(model: Any, options: Mapping[str, str]) -> Any:
    """An OpenVINO model, compiled for the processor.

    Raises `RuntimeError` where OpenVINO cannot, `ConfigError` in a process whose threads a fork
    has lost.
    """
    return _begin().compile_model(model, "CPU", dict(options))


def import_model(exported: bytes, options: Mapping[str, str]) -> Any:
    """What `export_model()` of a compiled graph gave, compiled with the same options again.

    Raises as `compile_model` does.
    """
    return _begin().import_model(exported, "CPU", dict(options))


class Streams:
    """A compiled graph with a request and a thread for each stream.

    A blank image is inferred before there are threads: OpenVINO's Python side looks numpy up in its
    first inference, and when two threads do so at once, each can come to wait for the other for
    ever.
    """

    def __init__(self, compiled: Any, streams: int) -> None:
        self._outputs = range(len(compiled.outputs))
        self._requests = [compiled.create_infer_request() for _ in range(streams)]
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for request in self._requests:
            self._free.put(request)
        self._threads = ThreadPoolExecutor(streams, thread_name_prefix="mintad-infer")
        _open_streams.add(self)
        self.infer(
            [np.zeros([*port.shape], port.element_type.to_dtype()) for port in compiled.inputs]
        )

    def infer(self, inputs: Inputs) -> list[NDArray[Any]]:
        """The outputs of one image; may be called from several threads at once.

        Raises `ConfigError` in a process that was forked since the graph was compiled.
        """
        _refuse_after_fork()
        request = self._free.get()
        try:
            request.infer(list(inputs), share_inputs=True)
            return [np.array(request.get_output_tensor(i).data) for i in self._outputs]
        finally:
            self._free.put(request)

    def infer_all(self, images: Sequence[Inputs]) -> list[list[NDArray[Any]]]:
        """The outputs of each image, in their order; a single one stays in the caller's thread."""
        _refuse_after_fork()
        run = map if len(images) == 1 else self._threads.map
        return list(run(self.infer, images))

    def abandon(self) -> None:
        """Keeps the requests for ever: to destroy one waits for the threads that it had."""
        for request in self._requests:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(request))


_open_streams: WeakSet[Streams] = WeakSet()
_in_use = False
_lost_in_fork = False


def _begin() -> openvino.Core:
    global _in_use
    _refuse_after_fork()
    _in_use = True
    core = openvino.Core()
    # The variable would hold its oneDNN back but not its own code, and attention then crashes the
    # process. torch heeds it throughout, so it is put back.
    if most := os.environ.pop("ONEDNN_MAX_CPU_ISA", None):
        core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")  # here oneDNN reads its environment
        os.environ["ONEDNN_MAX_CPU_ISA"] = most
    return core


def _refuse_after_fork() -> None:
    if _lost_in_fork:
        raise ConfigError(
            "This process was forked from one that used OpenVINO, whose threads stayed behind: "
            "it would wait for them for ever.",
            "Open the Inspector in each process, after the fork and not before it, or start "
            'processes with multiprocessing.get_context("spawn").',
        )


def _after_fork() -> None:
    global _lost_in_fork
    _lost_in_fork = _in_use
    for streams in _open_streams:
        streams.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
