"""A manifest: a CSV or Parquet table with a row per image.

Columns: product, split (train or test) and image, and if wanted label (0 or good, 1 or defective,
empty for unknown), defect_type and mask. Paths are relative to the table's folder; a mask may be a
folder of masks. Without a label a training image is good; of a test image a mask or a defect type
tells, else it is unknown.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from mintad.data.layouts.naming import sounds_good
from mintad.data.layouts.tables import place_of, read_rows
from mintad.data.listing import is_file
from mintad.data.sample import Sample, Split
from mintad.errors import DataError

COLUMNS = ("product", "split", "image")
"""The columns every manifest has."""

_LABELS = {"0": 0, "good": 0, "1": 1, "defective": 1}


def detect(root: Path) -> bool:
    """Whether the root is a `.csv` or `.parquet` file."""
    return is_file(root) and root.suffix.lower() in (".csv", ".parquet")


def read(root: Path) -> list[Sample]:
    """All samples in the table's order. Raises `DataError` naming the table, row and column."""
    if not detect(root):
        raise DataError(
            f"{root} is not a manifest.", "Give a .csv or .parquet file with a row per image."
        )
    rows = read_rows(root, COLUMNS)
    samples = [_sample(root, number, row) for number, row in enumerate(rows, start=1)]
    if not samples:
        raise DataError(f"The manifest {root} lists no images.", "Add a row for each image.")
    return samples


def _sample(table: Path, number: int, row: dict[str, str]) -> Sample:
    for column in COLUMNS:
        if not row[column]:
            raise _row_error(table, number, f"has no {column}", f"Fill in its {column}")
    split = row["split"].lower()
    if split not in ("train", "test"):
        raise _row_error(table, number, f"has split '{row['split']}'", "Use train or test")
    label = _label(table, number, row, split)
    mask = row.get("mask", "")
    named = {None: None, 0: "good", 1: "defective"}[label]
    return Sample(
        product=row["product"],
        split=cast(Split, split),
        image=place_of(table.parent, row["image"]),
        label=label,
        defect_type=row.get("defect_type") or named,
        mask=place_of(table.parent, mask) if mask else None,
    )


def _label(table: Path, number: int, row: dict[str, str], split: str) -> int | None:
    text = row.get("label", "").lower()
    text = text.removesuffix(".0")  # whole numbers that a spreadsheet turned into floats
    if text:
        if text not in _LABELS:
            mend = "Use 0 or good, 1 or defective, or leave it empty"
            raise _row_error(table, number, f"has label '{row['label']}'", mend)
        label = _LABELS[text]
        if label and split == "train":
            mend = "Training takes good images alone: make its split test"
            raise _row_error(table, number, "is a defective training image", mend)
        return label
    if split == "train":
        return 0
    if defect_type := row.get("defect_type"):
        if defect_type != "good" and sounds_good(defect_type):
            problem = (
                f"has defect_type '{defect_type}' and no label, which leaves open if it is good"
            )
            raise _row_error(table, number, problem, "Give it a label, 0 or 1")
        return int(defect_type != "good")
    return 1 if row.get("mask") else None


def _row_error(table: Path, number: int, problem: str, mend: str) -> DataError:
    return DataError(f"Row {number} of the manifest {table} {problem}.", f"{mend}.")
