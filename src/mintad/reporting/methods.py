"""The list of methods in the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any


def methods_text(methods: Iterable[Mapping[str, Any]]) -> str:
    """A paragraph per method: name and paper, its needs, a line per switch, its default first."""
    return "\n\n".join("\n".join(_lines(method)) for method in methods)


def _lines(method: Mapping[str, Any]) -> Iterable[str]:
    yield f"{method['name']}  ({method['paper']})"
    yield f"  needs at test time: {', '.join(method['needs_at_test']) or 'the image alone'}"
    if method["needs_in_training"]:
        yield f"  needs in training: {', '.join(method['needs_in_training'])}"
    width = max(len(switch["name"]) for switch in method["switches"])
    for switch in method["switches"]:
        values = switch["values"]
        if isinstance(values, list):
            values = ", ".join(
                value if isinstance(value, str) else json.dumps(value) for value in values
            )
        kind = f"{switch['type']} {values}" if values else switch["type"]
        default = json.dumps(switch["default"], ensure_ascii=False)
        yield f"  {switch['name']:{width}}  {default}  ({kind})"
