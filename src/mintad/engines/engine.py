"""From a bundle and a name to an engine that runs on this machine."""

from __future__ import annotations

import logging

from mintad.bundle import Bundle, GraphEntry
from mintad.engines.registry import Engine, engine_spec, list_engines
from mintad.errors import BundleError, ConfigError, MissingExtraError
from mintad.system.processor import has_bfloat16

_log = logging.getLogger(__name__)

LARGEST_LOSS = 0.002
"""The macro image AUROC that a lower precision may cost before it is not chosen by itself."""

LARGEST_SHIFT = 0.01
"""How far a lower precision may move an image's score, as a part of it, before that."""


def open_engine(bundle: Bundle, name: str | None = None, *, live: bool = False) -> Engine:
    """The engine `name` for `bundle`, as `resolve_engine` takes it.

    `live` gives all cores to one image, for the shortest answer; otherwise several images run side
    by side. Raises `ConfigError` for an unknown name, `BundleError` where the bundle has no such
    graph, `MissingExtraError` without its packages.
    """
    kind, _, precision = resolve_engine(bundle, name, live=live).partition(":")
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


def resolve_engine(bundle: Bundle, name: str | None = None, *, live: bool = False) -> str:
    """What `name` asks for, in full: "openvino" is "openvino:float32".

    A name is "openvino", "onnx", "tensorrt" or "torch"; a colon and a precision may follow:
    "openvino:bfloat16". "auto" is what is fastest on this machine (see `fastest_engine`), and the
    log says what that is; None is what `default_engine` says. Raises as these do, and `ConfigError`
    for an unknown engine.
    """
    if name == "auto":
        from mintad.engines.choice import fastest_engine

        name = fastest_engine(bundle, live=live)
        _log.warning("The engine auto is %s on this machine.", name)
    kind, _, precision = (name or default_engine(bundle)).partition(":")
    engine_spec(kind)
    return f"{kind}:{precision or 'float32'}"


def default_engine(bundle: Bundle) -> str:
    """openvino where the bundle has its graph and the package is there, otherwise torch.

    Raises `BundleError` where neither can run.
    """
    if bundle.manifest.graph("openvino", "float32") and engine_spec("openvino").installed:
        return "openvino"
    if engine_spec("torch").installed:
        if bundle.manifest.recipe.get("export") and not bundle.manifest.graph_problem:
            _log.warning(
                "The bundle %s has no graph that runs here, so torch runs it: its training was cut "
                "short, or brought from elsewhere. `mintad export` makes the graph.",
                bundle.path,
            )
        return "torch"
    why = bundle.manifest.graph_problem or "it was never exported"
    raise BundleError(
        f"The bundle {bundle.path} holds no graph that can run here: {why.rstrip('.')}.",
        "Run `mintad export` on the machine that trained it, or: pip install 'mintad[train]'",
    )


def engine_names(bundle: Bundle, *, graphs: bool = False, faithful: bool = False) -> list[str]:
    """The engines and precisions that can run this bundle on this machine, as `open_engine` takes.

    With `graphs` only those that run a graph, with `faithful` only those that were measured to
    lose at most `LARGEST_LOSS` and to move no score by more than `LARGEST_SHIFT`.
    """
    names = []
    for name, spec in list_engines().items():
        if not (spec.listed and spec.installed):
            continue
        if spec.graph is None:
            names += [] if graphs else [f"{name}:float32"]
            continue
        names += [
            f"{name}:{entry.precision}"
            for entry in bundle.manifest.graphs
            if entry.format == spec.graph
            and (entry.precision != "bfloat16" or has_bfloat16())
            and (not faithful or _faithful(entry))
        ]
    return names


def _faithful(entry: GraphEntry) -> bool:
    return entry.score_deviation <= LARGEST_SHIFT and (entry.auroc_change or 0.0) >= -LARGEST_LOSS
