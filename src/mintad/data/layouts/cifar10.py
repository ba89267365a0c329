"""CIFAR-10, each class a product: torchvision's `cifar-10-batches-py` or Hugging Face's Parquet.

The latter are `train*.parquet` and `test*.parquet` with columns img (bytes, path) and label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mintad.data.layouts.pickles import read_pickle
from mintad.data.layouts.tables import read_parquet
from mintad.data.listing import is_file
from mintad.data.sample import Dataset, MemoryImage, Sample, Split
from mintad.data.sources import MissingImageError, read_bytes
from mintad.errors import DataError

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
"""The ten classes by number."""

_FOLDER = "cifar-10-batches-py"
_BATCHES: tuple[tuple[Split, tuple[str, ...]], ...] = (
    ("train", tuple(f"data_batch_{number}" for number in range(1, 6))),
    ("test", ("test_batch",)),
)
_SPLITS: tuple[Split, ...] = ("train", "test")


def detect(root: Path) -> bool:
    """Whether the root holds CIFAR-10 in one of its two forms."""
    return _batch_folder(root) is not None or bool(
        _parquet_files(root, "train") or _parquet_files(root, "test")
    )


def read(root: Path) -> list[Sample]:
    """All samples, train first, in the files' order. Raises `DataError` naming the file."""
    folder = _batch_folder(root)
    if folder is not None:
        samples = [
            sample
            for split, names in _BATCHES
            for sample in _read_batches([folder / name for name in names], split)
        ]
    else:
        samples = [
            sample
            for split in _SPLITS
            for path in _parquet_files(root, split)
            for sample in _read_parquet(path, split)
        ]
    if not samples:
        raise DataError(
            f"The folder {root} holds no CIFAR-10.",
            f"Give the folder of {_FOLDER}, or of train.parquet and test.parquet.",
        )
    return samples


def cifar10_split(dataset: Dataset, normal: Sequence[int]) -> Dataset:
    """Many against many: trained on the `normal` classes, tested on all, the others defective.

    `normal` holds class numbers, 0 to 9. The training samples of other classes are dropped; the
    test samples of other classes get label 1 and their class as the defect type.
    """
    unknown = [number for number in normal if not 0 <= number < len(CLASSES)]
    if unknown or not normal:
        raise DataError(
            f"CIFAR-10 has no split with the normal classes {list(normal)}.",
            "Give at least one class number, each from 0 to 9.",
        )
    names = {CLASSES[number] for number in normal}
    samples = []
    for sample in dataset:
        if sample.product in names:
            samples.append(sample)
        elif sample.split == "test":
            samples.append(replace(sample, label=1, defect_type=sample.product))
    return Dataset(tuple(samples))


def _batch_folder(root: Path) -> Path | None:
    for folder in (root / _FOLDER, root):
        if any(is_file(folder / name) for _, names in _BATCHES for name in names):
            return folder
    return None


def _parquet_files(root: Path, split: Split) -> list[Path]:
    for folder in (root, root / "plain_text"):
        paths = sorted(path for path in folder.glob(f"{split}*.parquet") if is_file(path))
        if paths:
            return paths
    return []


def _read_parquet(path: Path, split: Split) -> list[Sample]:
    table = read_parquet(path, ("img", "label"))
    samples = []
    for number, (image, label) in enumerate(
        zip(table["img"].to_pylist(), table["label"].to_pylist(), strict=True)
    ):
        content = image.get("bytes") if isinstance(image, dict) else None
        if not isinstance(content, bytes):
            raise _damaged(path, f"row {number} of img has no bytes")
        samples.append(_sample(path, split, number, label, content))
    return samples


def _read_batches(paths: Sequence[Path], split: Split) -> list[Sample]:
    if not any(is_file(path) for path in paths):
        return []
    samples = []
    for path in paths:
        if not is_file(path):
            raise _damaged(path, "it is missing, though others of its set are there")
        batch = _read_batch(path)
        pixels, labels = batch.get("data"), batch.get("labels")
        if not isinstance(pixels, np.ndarray) or not isinstance(labels, list):
            raise _damaged(path, "it has no data and labels")
        if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3072):
            raise _damaged(path, f"its data are {pixels.dtype} {pixels.shape}")
        images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        for number, label in enumerate(labels):
            samples.append(_sample(path, split, number, label, images[number]))
    return samples


def _sample(path: Path, split: Split, number: int, label: Any, content: Any) -> Sample:
    if not isinstance(label, int) or not 0 <= label < len(CLASSES):
        raise _damaged(path, f"the label of image {number} is {_shown(label)}, not 0 to 9")
    name = f"{path.name}/{number:05d}"
    return Sample(CLASSES[label], split, MemoryImage(name, content))


def _shown(label: Any) -> str:
    """A label in words; of what is no number only its kind, which may be endless."""
    return str(label) if isinstance(label, int) and abs(label) < 1 << 64 else type(label).__name__


def _read_batch(path: Path) -> dict[Any, Any]:
    try:
        batch = read_pickle(read_bytes(path))
    except MissingImageError as error:
        raise _damaged(path, "it cannot be read") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise _damaged(path, str(error)[:200] or type(error).__name__) from error
    if not isinstance(batch, dict):
        raise _damaged(path, f"it holds a {type(batch).__name__}, not a dictionary")
    return batch


def _damaged(path: Path, problem: str) -> DataError:
    return DataError(f"{path} is not a whole CIFAR-10 file: {problem}.", "Download it again.")
