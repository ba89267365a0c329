"""One call for every layout and any number of roots."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mintad.data.layouts import cifar10, folder, manifest, visa
from mintad.data.layouts.naming import Naming
from mintad.data.layouts.products import BTAD, MVTEC, MVTEC_AD2, ProductFolders
from mintad.data.left_out import find_left_out
from mintad.data.listing import is_folder
from mintad.data.sample import Dataset, LeftOut, MemoryImage, Sample
from mintad.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class _Layout:
    """`places` says where its images lie."""

    detect: Callable[[Path, Naming], bool]
    read: Callable[[Path, Naming], list[Sample]]
    places: str


def _of_products(layout: ProductFolders) -> _Layout:
    return _Layout(layout.detect, layout.read, layout.places)


def _of_other(
    detect: Callable[[Path], bool], read: Callable[[Path], list[Sample]], places: str
) -> _Layout:
    """A layout in which no folder is called good."""
    return _Layout(lambda root, _: detect(root), lambda root, _: read(root), places)


_LAYOUTS = {
    "manifest": _of_other(manifest.detect, manifest.read, "the rows of the manifest"),
    "visa": _of_other(visa.detect, visa.read, "the rows of 1cls.csv"),
    "cifar10": _of_other(cifar10.detect, cifar10.read, "the files of CIFAR-10"),
    "btad": _of_products(BTAD),  # before MVTec, whose test/<defect> matches it
    "mvtec-ad2": _of_products(MVTEC_AD2),  # before MVTec, whose train/good matches it
    "mvtec": _of_products(MVTEC),
    "folder": _of_other(folder.detect, folder.read, folder.PLACES),
}

LAYOUTS = ("auto", *_LAYOUTS)
"""The names `read` takes as a layout."""


def read(
    *roots: str | Path, layout: str = "auto", good: Sequence[str] = (), bad: Sequence[str] = ()
) -> Dataset:
    """The samples of one or several roots, each read in its own layout if `layout` is "auto".

    A root is a path, or "NAME=PATH", which puts "NAME/" before the names of its products.
    Roots keep their order. `good` are further names of folders with good images, beside the
    layout's own; `bad` are names that sound good and are a defect's all the same. What lies in a
    root and is not read is in the data set's `left_out`.

    Raises `DataError` for a missing path, a folder without images, an unknown structure, a
    product that two roots share, or a folder of test images whose name sounds good; `ConfigError`
    for an unknown layout.

    >>> mintad.read("data")
    Dataset(2 products, 20 train, 16 test)
    >>> mintad.read("left=data", "right=data").products
    ('left/blobs', 'left/stripes', 'right/blobs', 'right/stripes')
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"There is no layout '{layout}'.", f"Use one of {', '.join(LAYOUTS)}.")
    if not roots:
        raise DataError("No data were given.", "Give at least one folder or manifest.")
    naming = Naming(tuple(good), tuple(bad))
    samples: list[Sample] = []
    left_out: list[LeftOut] = []
    owners: dict[str, str] = {}
    paths = []
    for root in roots:
        name, path = _split_root(root)
        paths.append(path)
        found, left = _read_root(path, layout, naming)
        left_out += left
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
    _check_naming(naming, samples)
    return Dataset(tuple(samples), roots=tuple(paths), left_out=tuple(left_out))


def _split_root(root: str | Path) -> tuple[str, Path]:
    """The name before "=", "" if there is none, and the path."""
    if isinstance(root, str):
        name, equals, path = root.partition("=")
        is_named = equals and name and not set(name) & set("/\\") and not os.path.lexists(root)
        if is_named:
            return name, _at_home(path)
    return "", _at_home(root)


def _at_home(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no home, or no such user
        return Path(path)


def _read_root(path: Path, layout: str, naming: Naming) -> tuple[list[Sample], tuple[LeftOut, ...]]:
    try:
        path.stat()
        if is_folder(path):
            os.scandir(path).close()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"The path {path} does not exist.", "Check its spelling.") from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"The path {path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            "Give a folder or a manifest that this user may read.",
        ) from None
    normal = Path(os.path.normpath(path))
    if ".." in path.parts and not (normal.exists() and normal.samefile(path)):
        normal = path.resolve()  # it goes back from where a link leads
    path = normal
    chosen = _choose(path, layout, naming)
    samples = chosen.read(path, naming)
    left = find_left_out(path, samples, chosen.places) if is_folder(path) else ()
    return samples, left


def _choose(path: Path, layout: str, naming: Naming) -> _Layout:
    if layout != "auto":
        return _LAYOUTS[layout]
    for candidate in _LAYOUTS.values():
        if candidate.detect(path, naming):
            return candidate
    if is_folder(path):
        raise DataError(
            f"The folder {path} has no images in a known layout.",
            "Give a folder with one folder per product: images directly in it, or train/good and "
            "test/<defect> as in MVTec. If the products lie deeper, give the folder above them.",
        )
    raise DataError(
        f"The file {path} is not a manifest.", "Give a folder, or a .csv or .parquet manifest."
    )


def _check_naming(naming: Naming, samples: Sequence[Sample]) -> None:
    """Raises `DataError` for a name that no folder of images has."""
    folders = {s.image.parent.name for s in samples if not isinstance(s.image, MemoryImage)}
    for option, names in (("good", naming.good), ("bad", naming.bad)):
        for name in names:
            if name not in folders:
                raise DataError(
                    f"No folder of images is called {name}.",
                    f"Check the spelling of --{option} {name}, or leave it out.",
                )
