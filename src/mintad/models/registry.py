"""Methods by name."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError

from mintad.errors import ConfigError
from mintad.features import FeatureShape
from mintad.models.base import AnomalyModel, ModelConfig
from mintad.models.class_aware import ClassTokenUniAd, QueryPoolUniAd, TextPromptUniAd
from mintad.models.mint_ad import MintAd
from mintad.models.rd4ad import Rd4ad
from mintad.models.snl import SnlRd4ad, SnlStfpm
from mintad.models.stfpm import Stfpm
from mintad.models.uniad import UniAd


class Method(NamedTuple):
    """A method and where it was published."""

    model: type[AnomalyModel]
    paper: str


_MINT_AD = "MINT-AD, arXiv 2403.14213"
_UNIAD = "UniAD, arXiv 2206.03687"
_STFPM = "STFPM, arXiv 2103.04257"
_RD4AD = "RD4AD, arXiv 2201.10703"
_SNL = "SNL, arXiv 2402.17091"

METHODS = {
    "mint-ad": Method(MintAd, _MINT_AD),
    "rd4ad": Method(Rd4ad, _RD4AD),
    "snl-rd4ad": Method(SnlRd4ad, f"{_SNL}, on {_RD4AD}"),
    "snl-stfpm": Method(SnlStfpm, f"{_SNL}, on {_STFPM}"),
    "stfpm": Method(Stfpm, _STFPM),
    "uniad": Method(UniAd, _UNIAD),
    "uniad-class-token": Method(ClassTokenUniAd, f"{_UNIAD}, compared in {_MINT_AD}"),
    "uniad-query-pool": Method(QueryPoolUniAd, f"{_UNIAD}, compared in {_MINT_AD}"),
    "uniad-text-prompt": Method(TextPromptUniAd, f"{_UNIAD}, compared in {_MINT_AD}"),
}


def list_models() -> list[str]:
    """The names of all methods."""
    return sorted(METHODS)


def model_class(name: str) -> type[AnomalyModel]:
    """The class of a method. Raises `ConfigError` for an unknown one."""
    if name not in METHODS:
        raise ConfigError(
            f"There is no model named {name!r}.", f"Choose one of: {', '.join(list_models())}."
        )
    return METHODS[name].model


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
    model = model_class(name)
    needs = model.requirements
    if (needs.features, needs.image) != (shape.kind, shape.image):
        raise ConfigError(
            f"The recipe's backbone does not give the features that {name} works on.",
            f"Set backbone.sampling to {_SAMPLINGS[needs.features, needs.image]}.",
        )
    return model(model_config(name, switches), shape, products, **parts)


_SAMPLINGS = {
    ("tokens", False): "bilinear or area",
    ("stages", False): "native",
    ("stages", True): "native-image",
}
