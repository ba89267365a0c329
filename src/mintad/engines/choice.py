"""Which engine is fastest here: measured at the first start, then remembered."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from mintad.bundle import Bundle
from mintad.engines.engine import LARGEST_LOSS, default_engine, engine_names, open_engine
from mintad.engines.speed import latencies, throughput
from mintad.errors import MintadError
from mintad.system.directory import default_cache_directory
from mintad.system.files import write_json
from mintad.system.processor import processor_flags
from mintad.system.threads import core_count

SECONDS = 1.0
"""How long each engine is measured."""


def fastest_engine(
    bundle: Bundle, *, live: bool = False, loss: float = LARGEST_LOSS, seconds: float = SECONDS
) -> str:
    """The engine, as `open_engine` takes it, with the most images per second on this machine.

    With `live` it is the one with the shortest answer to one image. Only precisions that were
    measured to cost at most `loss` AUROC take part. What is found is kept in the user's cache
    folder for this bundle and machine. Torch takes part only where there is nothing else.
    """
    names = engine_names(bundle, within=loss)
    graphs = [name for name in names if not name.startswith("torch")]
    if len(graphs) < 2:
        return graphs[0] if graphs else default_engine(bundle)
    file = default_cache_directory() / "engines" / f"{_key(bundle, graphs, live)}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        known = str(json.loads(file.read_text(encoding="utf-8"))["engine"])
        if known in graphs:
            return known
    rates = {name: _rate(bundle, name, live, seconds) for name in graphs}
    fastest = max(rates, key=lambda name: rates[name])
    with suppress(MintadError, OSError):  # then it is measured again next time
        write_json(file, {"engine": fastest, "images_per_second": rates})
    return fastest


def _rate(bundle: Bundle, name: str, live: bool, seconds: float) -> float:
    """Images per second, 0 where the engine does not run."""
    try:
        engine = open_engine(bundle, name, live=live)
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
