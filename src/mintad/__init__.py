"""mintad: one model inspects every product.

    import mintad

    dataset = mintad.read("data")
    bundle = mintad.train(dataset, out="run")
    for inspection in mintad.Inspector(bundle)(["new/part.png"]):
        print(inspection.product, inspection.score)

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from mintad.system.telemetry import switch_off_telemetry

if TYPE_CHECKING:
    from mintad.api import evaluate, train
    from mintad.bundle import Bundle, load
    from mintad.data import Dataset, Sample, read
    from mintad.errors import MintadError
    from mintad.inspection import Inspection, Inspector

__all__ = [
    "Bundle",
    "Dataset",
    "Inspection",
    "Inspector",
    "MintadError",
    "Sample",
    "__version__",
    "evaluate",
    "load",
    "read",
    "train",
]

switch_off_telemetry()

try:
    __version__ = version("mintad")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"

_HOMES = {
    "Bundle": "bundle",
    "Dataset": "data",
    "Inspection": "inspection",
    "Inspector": "inspection",
    "MintadError": "errors",
    "Sample": "data",
    "evaluate": "api",
    "load": "bundle",
    "read": "data",
    "train": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
