"""Engines by name: each is added in its own file, by one registration; others can add theirs."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import INSPECTION_OUTPUTS, Bundle, GraphFormat, RawPrediction
from mintad.errors import BundleError, ConfigError, MissingExtraError
from mintad.registry import Registry


class Engine(Protocol):
    """Runs the network of a bundle."""

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, prepared; `products` `int64 (B,)`, -1 = recognise.

        May be called from several threads at once.
        """


class Opener(Protocol):
    """Opens an engine for a bundle, in a precision; `live` is for the shortest answer."""

    def __call__(self, bundle: Bundle, precision: str, *, live: bool) -> Engine:
        """Raises `BundleError` where the bundle has not what it takes, `ConfigError` for a
        precision that cannot be."""


class EngineSpec(NamedTuple):
    """An engine: the package it needs, the extra that brings it ("" for none), what it runs.

    `graph` is the format of the graphs that it runs, None where it runs the network itself.
    One that is not `listed` is never tried by itself.
    """

    open: Opener
    package: str
    extra: str
    graph: GraphFormat | None
    listed: bool

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return find_spec(self.package) is not None


def _import_engines() -> None:
    """Every module of this room that is an engine's."""
    room = import_module("mintad.engines")
    for module in pkgutil.iter_modules(room.__path__, "mintad.engines."):
        if module.name.endswith("_engine"):
            import_module(module.name)


_ENGINES: Registry[EngineSpec] = Registry("engine", "mintad.engines", _import_engines)


def register_engine(
    name: str,
    *,
    package: str,
    extra: str = "",
    graph: GraphFormat | None = None,
    listed: bool = True,
) -> Callable[[Opener], Opener]:
    """Adds the engine `name`, opened by the decorated function; see `EngineSpec`.

    A package adds its engines by naming the module that registers them as an entry point of the
    group `mintad.engines`. Raises `ConfigError` where another engine has the name.
    """

    def register(opener: Opener) -> Opener:
        _ENGINES.add(name, EngineSpec(opener, package, extra, graph, listed))
        return opener

    return register


def list_engines() -> dict[str, EngineSpec]:
    """All engines, in the order of their names."""
    return dict(sorted(_ENGINES.entries().items()))


def engine_spec(name: str) -> EngineSpec:
    """The engine `name`. Raises `ConfigError` for an unknown one."""
    engines = list_engines()
    if name not in engines:
        raise ConfigError(
            f"There is no engine named {name!r}.", f"Choose: {', '.join([*engines, 'auto'])}."
        )
    return engines[name]


def open_registered(bundle: Bundle, name: str, *, live: bool = False) -> Engine:
    """The engine that `name` says in full, such as "openvino:float32"; see `open_engine`."""
    kind, _, precision = name.partition(":")
    spec = engine_spec(kind)
    try:
        if not spec.installed:
            raise ModuleNotFoundError(name=spec.package)
        return spec.open(bundle, precision, live=live)
    except ModuleNotFoundError as error:
        if spec.extra:
            raise MissingExtraError(f"The engine {kind}", spec.extra) from error
        raise ConfigError(
            f"The engine {kind} needs the package {error.name}, which is not installed.",
            f"Install it with: pip install {error.name}",
        ) from error


def find_graph(bundle: Bundle, format: GraphFormat, precision: str) -> tuple[Path, list[str]]:
    """The file of the bundle's graph, and those of its outputs that an inspection needs.

    Raises `BundleError` where it has none of that kind.
    """
    entry = bundle.manifest.graph(format, precision)
    if entry is None:
        held = ", ".join(f"{graph.format}:{graph.precision}" for graph in bundle.manifest.graphs)
        raise BundleError(
            f"The bundle {bundle.path} holds no {format} graph in {precision}; it holds: "
            f"{held or 'none'}.",
            f"Make it with: mintad export {bundle.path} --data DATA --to {format} "
            f"--precision {precision}",
        )
    return bundle.file(entry.file), [name for name in entry.outputs if name in INSPECTION_OUTPUTS]
