"""mintad: one model inspects every product.

    import mintad

    dataset = mintad.read("data")
    bundle = mintad.train(dataset, out="run")
    for inspection in mintad.Inspector(bundle)(["new/part.png"]):
        print(inspection.product, inspection.score)

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from mintad.lazy import lazy_names
from mintad.system.telemetry import switch_off_telemetry

if TYPE_CHECKING:
    from mintad.api import evaluate, export, report, train, validate
    from mintad.backbones import list_backbones, register_backbone
    from mintad.bundle import Bundle, load
    from mintad.data import Dataset, Problem, Sample, read
    from mintad.errors import MintadError
    from mintad.inspection import Inspection, Inspector
    from mintad.metrics import Evaluation
    from mintad.models import list_models, register_model
    from mintad.training import Recipe, list_recipes, load_recipe

__all__ = [
    "Bundle",
    "Dataset",
    "Evaluation",
    "Inspection",
    "Inspector",
    "MintadError",
    "Problem",
    "Recipe",
    "Sample",
    "__version__",
    "evaluate",
    "export",
    "list_backbones",
    "list_models",
    "list_recipes",
    "load",
    "load_recipe",
    "read",
    "register_backbone",
    "register_model",
    "report",
    "train",
    "validate",
]

switch_off_telemetry()

try:
    __version__ = version("mintad")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"

_on_first_use = lazy_names(
    __name__,
    {
        "Bundle": "bundle",
        "Dataset": "data",
        "Evaluation": "metrics",
        "Inspection": "inspection",
        "Inspector": "inspection",
        "MintadError": "errors",
        "Problem": "data",
        "Recipe": "training",
        "Sample": "data",
        "evaluate": "api",
        "export": "api",
        "list_backbones": "backbones",
        "list_models": "models",
        "list_recipes": "training",
        "load": "bundle",
        "load_recipe": "training",
        "read": "data",
        "register_backbone": "backbones",
        "register_model": "models",
        "report": "api",
        "train": "api",
        "validate": "api",
    },
)


def __getattr__(name: str) -> Any:
    try:
        return _on_first_use(name)
    except ModuleNotFoundError as error:
        from mintad.errors import MissingExtraError

        raise MissingExtraError(f"mintad.{name}", "train") from error


def __dir__() -> list[str]:
    return list(__all__)
