"""The file that says what a run directory was begun with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mintad.errors import ConfigError
from mintad.system.files import parse_json
from mintad.training import RUN_FILE
from mintad.training.recipe import Recipe


class Begun(NamedTuple):
    """The resolved recipe of a run, and the fingerprint of its training images."""

    recipe: Recipe
    fingerprint: str


def read_run_file(run: Path) -> Begun | None:
    """What the run in the folder `run` was begun with; None where there is no run.

    Raises `ConfigError` where the file is damaged or from another version of mintad.
    """
    file = run / RUN_FILE
    if not file.is_file():
        return None
    try:
        content = parse_json(file.read_text(encoding="utf-8"))
        return Begun(Recipe.model_validate(content["recipe"]), str(content["data"]["fingerprint"]))
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{file} is damaged, or another version of mintad wrote it.",
            f"Delete {run}, or choose another folder for the run.",
        ) from None
