"""The face: from images to a bundle, and from a bundle to its numbers, its page and its graphs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mintad.bundle import Bundle, load
from mintad.data import MAX_PIXELS, Dataset, Problem, read
from mintad.data import validate as find_problems
from mintad.errors import MissingExtraError
from mintad.inspection import Inspector
from mintad.reporting.problems import left_out_text

if TYPE_CHECKING:
    from mintad.bundle import GraphFormat, Precision
    from mintad.metrics import Evaluation, Profile
    from mintad.system.progress import Progress

DataInput = Dataset | str | Path | Iterable[str | Path]
"""A data set, or the folders and manifests that `mintad.read` makes one of."""


def train(
    data: DataInput,
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

    `out` becomes the run directory: recipe, versions, seed, and the bundle in `out/bundle`, with
    the graph that runs without torch unless the recipe says `export=false`.
    `recipe` is a name or a TOML file, `overrides` set any of its fields. `cache` is where the
    backbone's features are kept (default: the user's cache folder); `use_cache=False` computes
    them anew in every epoch. `resume` goes on with a run that was
    stopped. Raises `MintadError` for what the caller can mend; needs the extra `train`.

    >>> bundle = mintad.train("data", "new_run", overrides={"seed": 7})
    >>> bundle.manifest.product_names
    ('blobs', 'stripes')
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
    data: DataInput,
    *,
    give_product: bool = False,
    engine: str | None = None,
    max_pixels: int | None = None,
    protocols: Sequence[str | Profile] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """The seven metrics of `bundle` on the test images of `data`, run by `engine`.

    The model recognises the product of each image unless `give_product`. `engine` is what
    `mintad.engines.open_engine` takes, `max_pixels` is the limit of an image in place of the
    bundle's. `protocols` are profiles, or their names, under which the same predictions are
    measured too; "all" is every one. Raises `MintadError` for what the caller can mend.

    >>> evaluation = mintad.evaluate("run", "data")
    >>> sorted(evaluation.metrics.products)
    ['blobs', 'stripes']
    >>> evaluation.metrics.macro["i_auroc"] > 0.9
    True
    """
    from mintad.metrics import evaluate as run

    return run(
        Inspector(bundle, engine=engine, max_pixels=max_pixels),
        as_dataset(data),
        protocols=protocols,
        give_product=give_product,
        progress=progress,
    )


def report(
    bundle: Bundle | str | Path,
    data: DataInput,
    out: str | Path = "report.html",
    *,
    give_product: bool = False,
    engine: str | None = None,
    max_pixels: int | None = None,
    examples: int = 6,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluates `bundle` on `data` as `evaluate` does, and writes the page `out` about it.

    The page is one HTML file that works offline, with up to `examples` of the worst false alarms
    and misses of each product.

    >>> evaluation = mintad.report("run", "data", "report.html")
    >>> Path("report.html").read_text(encoding="utf-8")[:15]
    '<!DOCTYPE html>'
    """
    from mintad.reporting.making import make_report

    return make_report(
        bundle,
        as_dataset(data),
        Path(out),
        engine=engine,
        max_pixels=max_pixels,
        examples=examples,
        give_product=give_product,
        progress=progress,
    )


def validate(
    data: DataInput,
    *,
    max_pixels: int | None = None,
    bit_depth: int | None = None,
    progress: Progress | None = None,
) -> list[Problem]:
    """All problems of a data set, errors first; an empty list for a clean one.

    Every image and mask is read once. `max_pixels` is the limit of an image, `bit_depth` says how
    many bits images hold that are stored with 16: both as the recipe's fields.

    >>> mintad.validate("data")
    []
    """
    return find_problems(
        as_dataset(data),
        max_pixels=MAX_PIXELS if max_pixels is None else max_pixels,
        bit_depth=bit_depth,
        progress=progress,
    )


def export(
    bundle: Bundle | str | Path,
    data: DataInput,
    *,
    formats: Sequence[GraphFormat] = ("openvino",),
    precisions: Sequence[Precision] = ("float32",),
) -> Bundle:
    """The bundle with graphs in these formats and precisions; others that it has stay.

    Each is compared with torch on good training images of `data` before it is kept; float32 is
    always made. Raises `MintadError` for what the caller can mend; needs the extra `train`, and
    `export` for int8.

    >>> bundle = mintad.export("run", "data", formats=["onnx"])
    >>> sorted((graph.format, graph.precision) for graph in bundle.manifest.graphs)
    [('onnx', 'float32'), ('openvino', 'float32')]
    """
    try:
        from mintad.exporting import export_graphs
    except ModuleNotFoundError as error:
        raise MissingExtraError("Exporting", "train") from error
    opened = bundle if isinstance(bundle, Bundle) else load(bundle)
    return export_graphs(opened, as_dataset(data), formats=formats, precisions=precisions)


def as_dataset(data: DataInput) -> Dataset:
    """`data` itself, or what `read` makes of the folders that it names.

    Warns of what `read` left out.
    """
    if isinstance(data, Dataset):
        return data
    dataset = read(data) if isinstance(data, (str, Path)) else read(*data)
    if left_out := left_out_text(dataset):
        warnings.warn(left_out, stacklevel=3)
    return dataset
