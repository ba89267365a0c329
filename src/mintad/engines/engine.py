"""From a bundle and a name to an engine that runs on this machine."""

from __future__ import annotations

import logging

from mintad.bundle import Bundle
from mintad.engines.choice import default_engine, fastest_engine
from mintad.engines.registry import Engine, engine_spec, open_registered

_log = logging.getLogger(__name__)


def open_engine(bundle: Bundle, name: str | None = None, *, live: bool = False) -> Engine:
    """The engine `name` for `bundle`, as `resolve_engine` takes it.

    `live` gives all cores to one image, for the shortest answer; otherwise several images run side
    by side. Raises `ConfigError` for an unknown name, `BundleError` where the bundle has no such
    graph, `MissingExtraError` without its packages.
    """
    return open_registered(bundle, resolve_engine(bundle, name, live=live), live=live)


def resolve_engine(bundle: Bundle, name: str | None = None, *, live: bool = False) -> str:
    """What `name` asks for, in full: "openvino" is "openvino:float32".

    A name is "openvino", "onnx", "tensorrt" or "torch"; a colon and a precision may follow:
    "openvino:bfloat16". "auto" is what is fastest on this machine (see `fastest_engine`), and the
    log says what that is; None is what `default_engine` says. Raises as these do, and `ConfigError`
    for an unknown engine.
    """
    if name == "auto":
        name = fastest_engine(bundle, live=live)
        _log.warning("The engine auto is %s on this machine.", name)
    kind, _, precision = (name or default_engine(bundle)).partition(":")
    engine_spec(kind)
    return f"{kind}:{precision or 'float32'}"
