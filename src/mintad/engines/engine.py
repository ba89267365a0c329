"""An engine runs a bundle's network on prepared pixels; it is found by name when asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import Bundle, GraphEntry, GraphFormat, RawPrediction
from mintad.errors import BundleError, ConfigError, MissingExtraError
from mintad.system.processor import has_bfloat16

LARGEST_LOSS = 0.002
"""The macro image AUROC that a lower precision may cost before it is not chosen by itself."""


class Engine(Protocol):
    """Runs the network of a bundle."""

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, prepared; `products` `int64 (B,)`, -1 = recognise.

        May be called from several threads at once.
        """


class _Maker(NamedTuple):
    module: str
    name: str
    package: str
    extra: str


ENGINES = {
    "openvino": _Maker("mintad.engines.openvino_engine", "OpenVinoEngine", "openvino", ""),
    "onnx": _Maker("mintad.engines.onnx_engine", "OnnxEngine", "onnxruntime", "onnx"),
    "tensorrt": _Maker("mintad.engines.onnx_engine", "TensorRtEngine", "onnxruntime", "onnx"),
    "torch": _Maker("mintad.engines.torch_engine", "TorchEngine", "torch", "train"),
}
"""Name to module, class, and the package it needs with the extra that brings it."""


def open_engine(
    bundle: Bundle, name: str | None = None, *, live: bool = False, described: bool = False
) -> Engine:
    """The engine `name` for `bundle`: "openvino", "onnx", "tensorrt" or "torch".

    A colon and a precision may follow: "openvino:bfloat16". "auto" takes what is fastest on
    this machine (see `mintad.engines.choice`), None what `default_engine` says. `live` gives
    all cores to one image, for the shortest answer; otherwise several images run side by side.
    `described` asks for class token and prior, too.
    Raises `ConfigError` for an unknown name, `BundleError` where the bundle has no such graph,
    `MissingExtraError` without its packages.
    """
    if name == "auto":
        from mintad.engines.choice import fastest_engine

        name = fastest_engine(bundle, live=live)
    kind, _, precision = (name or default_engine(bundle)).partition(":")
    if kind not in ENGINES:
        raise ConfigError(
            f"There is no engine named {kind!r}.", f"Choose: {', '.join([*ENGINES, 'auto'])}."
        )
    maker = ENGINES[kind]
    if find_spec(maker.package) is None:
        if not maker.extra:
            raise ConfigError(
                f"The engine {kind} needs the package {maker.package}, which is not installed.",
                f"Install it with: pip install {maker.package}",
            )
        raise MissingExtraError(f"The engine {kind}", maker.extra)
    try:
        engine_class = getattr(import_module(maker.module), maker.name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"The engine {kind}", maker.extra) from error
    engine: Engine = engine_class(
        bundle, precision=precision or "float32", live=live, described=described
    )
    return engine


def default_engine(bundle: Bundle) -> str:
    """openvino where the bundle has its graph and the package is there, otherwise torch.

    Raises `BundleError` where neither can run.
    """
    if bundle.manifest.graph("openvino", "float32") and find_spec("openvino") is not None:
        return "openvino"
    if find_spec("torch") is not None:
        return "torch"
    why = bundle.manifest.graph_problem or "it was never exported"
    raise BundleError(
        f"The bundle {bundle.path} holds no graph that can run here: {why.rstrip('.')}.",
        "Run `mintad export` on the machine that trained it, or: pip install 'mintad[train]'",
    )


def engine_names(bundle: Bundle, *, within: float | None = None) -> list[str]:
    """The engines and precisions that can run this bundle on this machine, as `open_engine` takes.

    With `within` only those that were measured to lose at most so much AUROC.
    """
    found = []
    for entry in bundle.manifest.graphs:
        if find_spec(ENGINES[entry.format].package) is None:
            continue
        if entry.precision == "bfloat16" and not has_bfloat16():
            continue
        if within is not None and (entry.auroc_change or 0.0) < -within:
            continue
        found.append(f"{entry.format}:{entry.precision}")
    if find_spec("torch") is not None:
        found.append("torch:float32")
    return found


def find_graph(bundle: Bundle, format: GraphFormat, precision: str) -> GraphEntry:
    """The bundle's graph; raises `BundleError` where it has none of that kind."""
    entry = bundle.manifest.graph(format, precision)
    if entry is None:
        held = ", ".join(f"{graph.format}:{graph.precision}" for graph in bundle.manifest.graphs)
        raise BundleError(
            f"The bundle {bundle.path} holds no {format} graph in {precision}; it holds: "
            f"{held or 'none'}.",
            f"Make it with: mintad export {bundle.path} --data DATA --to {format} "
            f"--precision {precision}",
        )
    return entry
