"""An engine runs a bundle's network on prepared pixels; it is found by name when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import Bundle, RawPrediction
from mintad.errors import ConfigError, MissingExtraError


class Engine(Protocol):
    """Runs the network of a bundle."""

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        """`images` is `uint8 (B, h, w, 3)`, prepared; `products` `int64 (B,)`, -1 = recognise."""


ENGINES = {"torch": ("mintad.export.eager", "TorchEngine", "train")}
"""Name to module, class and the extra that brings its packages."""


def open_engine(bundle: Bundle, name: str = "torch") -> Engine:
    """The engine `name` for `bundle`.

    Raises `ConfigError` for an unknown name, `MissingExtraError` without its packages.
    """
    if name not in ENGINES:
        raise ConfigError(f"There is no engine named {name!r}.", f"Choose: {', '.join(ENGINES)}.")
    module, attribute, extra = ENGINES[name]
    try:
        engine_class = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"The engine {name}", extra) from error
    engine: Engine = engine_class(bundle)
    return engine
