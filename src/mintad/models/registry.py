"""Methods by name; other packages can add theirs."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from mintad.errors import ConfigError
from mintad.features import FeatureShape
from mintad.models.base import AnomalyModel, ModelConfig, TextConfig
from mintad.registry import Registry

Model = TypeVar("Model", bound=type[AnomalyModel])


class Method(NamedTuple):
    """A method and where it was published."""

    model: type[AnomalyModel]
    paper: str


def _import_methods() -> None:
    """Every module of this room, whichever registers methods."""
    room = import_module("mintad.models")
    for module in pkgutil.iter_modules(room.__path__, "mintad.models."):
        import_module(module.name)


_METHODS: Registry[Method] = Registry("model", "mintad.models", _import_methods)


def register_model(name: str, *, paper: str) -> Callable[[Model], Model]:
    """Registers a class as the method `name`; `paper` is where it was published.

    A package adds its methods by naming the module that registers them as an entry point of the
    group `mintad.models`. Raises `ConfigError` where another method has the name, `TypeError`
    for a class that cannot be a method.

    >>> from mintad.models import AnomalyModel, ModelConfig
    >>> @mintad.register_model("mine", paper="unpublished")
    ... class Mine(AnomalyModel):
    ...     config_class = ModelConfig
    >>> "mine" in mintad.list_models()
    True
    """

    def register(model: Model) -> Model:
        if not issubclass(getattr(model, "config_class", object), ModelConfig):
            raise TypeError(f"{model.__name__} does not say which its config_class is")
        if model.requirements.text and not issubclass(model.config_class, TextConfig):
            raise TypeError(f"{model.config_class.__name__} has to be a TextConfig: texts are read")
        _METHODS.add(name, Method(model, paper), lambda known: _path(known.model) == _path(model))
        return model

    return register


def _path(model: type) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def list_models() -> list[str]:
    """The names of all methods.

    >>> "mint-ad" in mintad.list_models()
    True
    """
    return sorted(_METHODS.entries())


def method(name: str) -> Method:
    """A method by name. Raises `ConfigError` for an unknown one."""
    methods = _METHODS.entries()
    if name not in methods:
        raise ConfigError(
            f"There is no model named {name!r}.", f"Choose one of: {', '.join(sorted(methods))}."
        )
    return methods[name]


def model_class(name: str) -> type[AnomalyModel]:
    """The class of a method. Raises `ConfigError` for an unknown one."""
    return method(name).model


def model_config(name: str, switches: dict[str, Any]) -> ModelConfig:
    """A method's switches, checked.

    Raises `ConfigError` for an unknown method, an unknown switch or a value it cannot take.
    """
    config_class = model_class(name).config_class
    try:
        return config_class.model_validate(switches)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        known = ", ".join(sorted(config_class.model_fields))
        raise ConfigError(
            f"model.{field}: {first['msg']} (got {first.get('input')!r}).",
            f"The switches of {name} are: {known}.",
        ) from None


def create_model(
    name: str, switches: dict[str, Any], shape: FeatureShape, products: int, **parts: Any
) -> AnomalyModel:
    """A method with its switches, for features of `shape` and K `products`.

    `parts` are what the constructor takes beside: `texts` and `student`, as `requirements` says.
    Raises `ConfigError` for an unknown method, an unknown switch or a value it cannot take, or
    where the method needs other features than those of `shape`.
    """
    model, config = model_class(name), model_config(name, switches)
    needs = model.requirements
    if (needs.features, needs.image) != (shape.kind, shape.image):
        sampling = "native" if needs.features == "stages" else "bilinear or area"
        image = "true" if needs.image else "false"
        raise ConfigError(
            f"The recipe's backbone does not give the features that {name} works on.",
            f"Set backbone.sampling to {sampling} and backbone.image to {image}.",
        )
    return model(config, shape, products, **parts)
