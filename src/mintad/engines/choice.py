"""Which engine is fastest here: measured at the first start, then remembered."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mintad.bundle import Bundle
from mintad.engines.engine import default_engine, engine_names, open_engine
from mintad.engines.speed import latencies, throughput
from mintad.errors import MintadError
from mintad.system.directory import default_cache_directory
from mintad.system.files import write_json
from mintad.system.processor import processor_flags
from mintad.system.threads import core_count

SECONDS = 1.0
"""How long each engine is measured."""


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
