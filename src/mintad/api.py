"""The face: from images to a bundle, and from a bundle to its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mintad.bundle import Bundle
from mintad.data import Dataset, read
from mintad.errors import MissingExtraError
from mintad.inspection import Inspector

if TYPE_CHECKING:
    from mintad.metrics import Evaluation, Profile
    from mintad.system.progress import Progress


def train(
    data: Dataset | str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    recipe: str | Path = "default",
    overrides: Mapping[str, Any] | Iterable[str] = (),
    cache: str | Path | None = None,
    use_cache: bool = True,
    resume: bool = False,
    progress: Progress | None = None,
) -> Bundle:
    """One model over all products of `data`, from their good training images; the bundle.

    `out` becomes the run directory: recipe, versions, logs, checkpoint, and the bundle in
    `out/bundle`, with the graph that runs without torch unless the recipe says `export=false`.
    `recipe` is a name or a TOML file, `overrides` set any of its fields. `cache` is where the
    backbone's features are kept (default: the user's cache folder); `use_cache=False` computes
    them anew in every epoch. `resume` goes on with a run that was
    stopped. Raises `MintadError` for what the caller can mend; needs the extra `train`.
    """
    try:
        from mintad.training.run import train_run
    except ModuleNotFoundError as error:
        raise MissingExtraError("Training", "train") from error
    return train_run(
        as_dataset(data),
        Path(out),
        recipe=recipe,
        overrides=overrides,
        cache=None if cache is None else Path(cache),
        use_cache=use_cache,
        resume=resume,
        progress=progress,
    )


def evaluate(
    bundle: Bundle | str | Path,
    data: Dataset | str | Path | Iterable[str | Path],
    *,
    give_product: bool = False,
    engine: str | None = None,
    protocols: Sequence[str | Profile] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """The seven metrics of `bundle` on the test images of `data`, run by `engine`.

    `engine` is what `mintad.engines.open_engine` takes. `protocols` are profiles, or their
    names, under which the same predictions are measured too; "all" is every one.
    """
    from mintad.metrics import evaluate as run

    return run(
        Inspector(bundle, engine=engine),
        as_dataset(data),
        protocols=protocols,
        give_product=give_product,
        progress=progress,
    )


def as_dataset(data: Dataset | str | Path | Iterable[str | Path]) -> Dataset:
    """`data` itself, or what `read` makes of the folders that it names."""
    if isinstance(data, Dataset):
        return data
    return read(data) if isinstance(data, (str, Path)) else read(*data)
