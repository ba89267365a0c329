"""Which engines can run a bundle here, and which is fastest: measured once, then remembered."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mintad.bundle import Bundle, GraphEntry
from mintad.engines.registry import engine_spec, list_engines, open_registered
from mintad.engines.timing import latencies, throughput
from mintad.errors import BundleError, MintadError
from mintad.system.directory import default_cache_directory
from mintad.system.files import write_json
from mintad.system.processor import has_bfloat16, processor_flags
from mintad.system.threads import core_count

_log = logging.getLogger(__name__)

LARGEST_LOSS = 0.002
"""The macro image AUROC that a lower precision may cost before it is not chosen by itself."""

LARGEST_SHIFT = 0.01
"""How far a lower precision may move an image's score, as a part of it, before that."""

SECONDS = 1.0
"""How long each engine is measured."""


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


def fastest_engine(bundle: Bundle, *, live: bool = False, seconds: float = SECONDS) -> str:
    """The engine, as `open_engine` takes it, with the most images per second on this machine.

    With `live` it is the one with the shortest answer to one image. Only precisions that are as
    good as float32 take part (`engine_names` with `faithful`), and torch only where there is
    nothing else. The choice is kept in the user's cache folder for this bundle and machine.
    """
    names = engine_names(bundle, graphs=True, faithful=True)
    if len(names) < 2:
        return names[0] if names else default_engine(bundle)
    file_name = f"{_key(bundle, names, live)}.json"
    with suppress(OSError, RuntimeError, ValueError, TypeError, KeyError):
        known = json.loads((_folder() / file_name).read_text(encoding="utf-8"))["engine"]
        if known in names:
            return str(known)
    rates = {name: _rate(bundle, name, live, seconds) for name in names}
    fastest = max(rates, key=lambda name: rates[name])
    with suppress(MintadError, OSError, RuntimeError):  # then it is measured again next time
        write_json(_folder() / file_name, {"engine": fastest, "images_per_second": rates})
    return fastest


def _folder() -> Path:
    """Raises `RuntimeError` where the user has no home folder."""
    return default_cache_directory() / "engines"


def _rate(bundle: Bundle, name: str, live: bool, seconds: float) -> float:
    """Images per second, 0 where the engine does not run."""
    try:
        engine = open_registered(bundle, name, live=live)
    except MintadError:
        return 0.0
    if live:
        times = sorted(latencies(engine, bundle, seconds))
        return 1 / times[len(times) // 2]
    return throughput(engine, bundle, seconds)


def _key(bundle: Bundle, names: Sequence[str], live: bool) -> str:
    """A digest of everything that the choice depends on."""
    files = {name: entry.sha256 for name, entry in sorted(bundle.manifest.files.items())}
    packages = {name: _version(name) for name in ("openvino", "onnxruntime")}
    machine = [platform.machine(), sorted(processor_flags()), core_count(), platform.node()]
    known = json.dumps([files, packages, machine, list(names), live])
    return hashlib.sha256(known.encode()).hexdigest()[:32]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
