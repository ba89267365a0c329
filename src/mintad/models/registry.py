"""Methods by name."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from mintad.errors import ConfigError
from mintad.models.base import AnomalyModel, InputShape
from mintad.models.mint_ad import MintAd

MODELS: dict[str, type[AnomalyModel]] = {"mint-ad": MintAd}


def list_models() -> list[str]:
    """The names of all methods."""
    return sorted(MODELS)


def create_model(name: str, config: dict[str, Any], shape: InputShape) -> AnomalyModel:
    """A method with its switches, for inputs of `shape`.

    Raises `ConfigError` for an unknown method, an unknown switch or a value it cannot take.
    """
    if name not in MODELS:
        raise ConfigError(
            f"There is no model named {name!r}.", f"Choose one of: {', '.join(list_models())}."
        )
    model_class = MODELS[name]
    try:
        parsed = model_class.config_class.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        known = ", ".join(sorted(model_class.config_class.model_fields))
        raise ConfigError(
            f"model.{field}: {first['msg']} (got {first.get('input')!r}).",
            f"The switches of {name} are: {known}.",
        ) from None
    return model_class(parsed, shape)
