"""One call for every layout and any number of roots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mintad.data.layouts import btad, cifar10, folder, manifest, mvtec, visa
from mintad.data.sample import Dataset, Sample
from mintad.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class _Layout:
    detect: Callable[[Path], bool]
    read: Callable[[Path], list[Sample]]


_LAYOUTS = {
    "manifest": _Layout(manifest.detect, manifest.read),
    "visa": _Layout(visa.detect, visa.read),
    "cifar10": _Layout(cifar10.detect, cifar10.read),
    "btad": _Layout(btad.detect, btad.read),  # before MVTec, whose test/<defect> matches it
    "mvtec": _Layout(mvtec.detect, mvtec.read),
    "folder": _Layout(folder.detect, folder.read),
}

LAYOUTS = ("auto", *_LAYOUTS)
"""The names `read` takes as a layout."""


def read(*roots: str | Path, layout: str = "auto") -> Dataset:
    """The samples of one or several roots, each read in its own layout if `layout` is "auto".

    A root is a path, or "NAME=PATH", which puts "NAME/" before the names of its products.
    Roots keep their order. Raises `DataError` for a missing path, a folder without images, an
    unknown structure or a product that two roots share; `ConfigError` for an unknown layout.

    >>> mintad.read("data")
    Dataset(2 products, 20 train, 16 test)
    >>> mintad.read("left=data", "right=data").products
    ('left/blobs', 'left/stripes', 'right/blobs', 'right/stripes')
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"There is no layout '{layout}'.", f"Use one of {', '.join(LAYOUTS)}.")
    if not roots:
        raise DataError("No data were given.", "Give at least one folder or manifest.")
    samples: list[Sample] = []
    owners: dict[str, str] = {}
    paths = []
    for root in roots:
        name, path = _split_root(root)
        paths.append(path)
        found = _read_root(path, layout)
        if name:
            found = [replace(sample, product=f"{name}/{sample.product}") for sample in found]
        for product in sorted({sample.product for sample in found}):
            if product in owners:
                raise DataError(
                    f"The product {product} is in both {owners[product]} and {root}.",
                    f"Tell them apart by giving one of them as NAME={path}.",
                )
            owners[product] = str(root)
        samples += found
    return Dataset(tuple(samples), roots=tuple(paths))


def _split_root(root: str | Path) -> tuple[str, Path]:
    """The name before "=", "" if there is none, and the path."""
    if isinstance(root, str):
        name, equals, path = root.partition("=")
        is_named = equals and name and not set(name) & set("/\\") and not Path(root).exists()
        if is_named:
            return name, Path(path).expanduser()
    return "", Path(root).expanduser()


def _read_root(path: Path, layout: str) -> list[Sample]:
    if not path.exists():
        raise DataError(f"The path {path} does not exist.", "Check its spelling.")
    if layout != "auto":
        return _LAYOUTS[layout].read(path)
    for candidate in _LAYOUTS.values():
        if candidate.detect(path):
            return candidate.read(path)
    if path.is_dir():
        raise DataError(
            f"The folder {path} has no images in a known layout.",
            "Give a folder with one folder per product: images directly in it, or train/good and "
            "test/<defect> as in MVTec. If the products lie deeper, give the folder above them.",
        )
    raise DataError(
        f"The file {path} is not a manifest.", "Give a folder, or a .csv or .parquet manifest."
    )
