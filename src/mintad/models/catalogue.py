"""What every method is: its paper, what it needs, its switches; ready for JSON."""

from __future__ import annotations

from typing import Any

from mintad.models.base import AnomalyModel, ModelConfig
from mintad.models.registry import list_models, method

_BOUNDS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
}


def describe_models() -> list[dict[str, Any]]:
    """A mapping per method, by name.

    `needs_at_test` is what `predict` must be given beside the image, `needs_in_training` what a
    run must be given beside the images and their products; `switches` is a list of name, type,
    values and default, where `values` is a list, a range in words, or None for anything.
    """
    return [
        {
            "name": name,
            "paper": paper,
            "needs_at_test": ["product"] if model.requirements.product else [],
            "needs_in_training": _needs_in_training(model),
            "switches": describe_switches(model.config_class),
        }
        for name in list_models()
        for model, paper in [method(name)]
    ]


def _needs_in_training(model: type[AnomalyModel]) -> list[str]:
    needs = {
        "text encoder": model.requirements.text,
        "stages at their own resolution": model.requirements.features == "stages",
    }
    return [name for name, needed in needs.items() if needed]


def describe_switches(config: type[ModelConfig]) -> list[dict[str, Any]]:
    """Name, type, values and default of each field."""
    fields: dict[str, dict[str, Any]] = config.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "type": field["type"],
            "values": _values(field),
            "default": field["default"],
        }
        for name, field in fields.items()
    ]


def _values(field: dict[str, Any]) -> list[Any] | str | None:
    if "enum" in field:
        return list(field["enum"])
    if field["type"] == "boolean":
        return [True, False]
    bounds = [f"{sign} {field[key]:g}" for key, sign in _BOUNDS.items() if key in field]
    return ", ".join(bounds) or None
