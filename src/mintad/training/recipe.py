"""Recipes are data: a TOML file that says what is trained, on which features, and how."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mintad.backbones import BackboneConfig
from mintad.data import MAX_PIXELS
from mintad.errors import ConfigError


class TrainingConfig(BaseModel):
    """How the gradient steps are made; `epochs = 0` leaves the closed form alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(ge=0)
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=1e-4, ge=0)
    clip_norm: float = Field(default=0.1, gt=0)
    schedule: Literal["step", "one-cycle", "constant"] = "step"
    average: float = Field(default=0.0, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    holdout: float = Field(default=0.0, ge=0, le=0.5)
    processes: int = Field(default=1, ge=1)


class Recipe(BaseModel):
    """What is trained: the method with its switches, the features it sees, and the steps.

    `max_pixels` is the most that an image may have; `bit_depth` says how many bits images hold
    that are stored with 16. `export` adds to the bundle the graph that runs without torch.

    >>> recipe = mintad.load_recipe("fast")
    >>> recipe
    Recipe('fast', mint-ad on efficientnet_lite2, seed 0)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    model: str
    switches: dict[str, Any] = {}
    backbone: BackboneConfig
    resize: Literal["stretch", "pad"] = "stretch"
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    bit_depth: int | None = Field(default=None, ge=9, le=15)
    training: TrainingConfig
    export: bool = True
    seed: int = 0

    def __repr__(self) -> str:
        return f"Recipe({self.name!r}, {self.model} on {self.backbone.name}, seed {self.seed})"


def list_recipes() -> list[str]:
    """The names of the recipes that mintad ships.

    >>> "default" in mintad.list_recipes()
    True
    """
    folder = resources.files("mintad.training") / "recipes"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_recipe(name: str | Path, overrides: Mapping[str, Any] | Iterable[str] = ()) -> Recipe:
    """A recipe by name or from a TOML file, with any field overridden.

    `overrides` maps dotted fields to values (`{"training.epochs": 5}`), or lists them as the
    command line does (`["training.epochs=5", "backbone.name=efficientnet_lite0"]`), where each
    value is read as TOML and otherwise taken as text. Raises `ConfigError` for an unknown
    recipe or field, or a value that a field cannot take.

    >>> recipe = mintad.load_recipe("fast", {"training.epochs": 2, "backbone.stages": [2, 3]})
    >>> recipe.training.epochs, recipe.backbone.stages
    (2, (2, 3))
    """
    content = _read(name)
    content.setdefault("name", Path(name).stem)
    for field, value in _pairs(overrides):
        _set(content, field, value)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"Recipe {name}: {field}: {first['msg']} (got {first.get('input')!r}).",
            f"Correct that field; {_fields(first['loc'][:-1])}",
        ) from None


def _fields(section: tuple[int | str, ...] = ()) -> str:
    """What a recipe, or a section of it, takes."""
    model: type[BaseModel] = Recipe
    for part in section:
        inner = model.model_fields[str(part)].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    place = ".".join(map(str, section)) or "a recipe"
    return f"{place} takes: {', '.join(model.model_fields)}."


def _read(name: str | Path) -> dict[str, Any]:
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise ConfigError(f"There is no recipe file {path}.", "Check the path.")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigError(
                f"The recipe file {path} cannot be read: {reason}.",
                "Save it as a text in UTF-8 that you may read.",
            ) from None
    else:
        if str(name) not in list_recipes():
            raise ConfigError(
                f"There is no recipe named {str(name)!r}.",
                f"Choose one of: {', '.join(list_recipes())}, or name a .toml file.",
            )
        entry = resources.files("mintad.training") / "recipes" / f"{name}.toml"
        text = entry.read_text(encoding="utf-8")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", "Correct that line.") from None
    except RecursionError:
        raise ConfigError(
            f"{path} is nested too deeply.", "Write the recipe as those of mintad are."
        ) from None


def _pairs(overrides: Mapping[str, Any] | Iterable[str]) -> Iterable[tuple[str, Any]]:
    if isinstance(overrides, Mapping):
        yield from overrides.items()
        return
    for text in overrides:
        field, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(
                f"--set {text!r} has no value.", "Write it as FIELD=VALUE: training.epochs=5."
            )
        yield field.strip(), _parse(value.strip())


def _parse(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return value


def _set(content: dict[str, Any], field: str, value: Any) -> None:
    *sections, last = field.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise ConfigError(f"{field} is not a field of a recipe.", f"Correct it; {_fields()}")
    content[last] = value
