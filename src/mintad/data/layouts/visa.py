"""VisA: images listed in `split_csv/1cls.csv`, columns object, split, label, image, mask.

The root is the folder that holds `split_csv`, or holds `1cls.csv` directly; the paths in the
table start there.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from mintad.data.layouts.tables import place_of, read_rows
from mintad.data.listing import is_file
from mintad.data.sample import Sample, Split
from mintad.errors import DataError

_COLUMNS = ("object", "split", "label", "image", "mask")
_PLACES = ("split_csv/1cls.csv", "1cls.csv")
_LABELS = {"normal": 0, "anomaly": 1}


def detect(root: Path) -> bool:
    """Whether the root holds VisA's table."""
    return any(is_file(root / place) for place in _PLACES)


def read(root: Path) -> list[Sample]:
    """All samples, by product, split and file. Raises `DataError` naming table and row."""
    table = next((root / place for place in _PLACES if is_file(root / place)), None)
    if table is None:
        raise DataError(
            f"The folder {root} has no split_csv/1cls.csv.",
            "Give the folder into which VisA was unpacked.",
        )
    rows = read_rows(table, _COLUMNS)
    samples = [_sample(root, table, number, row) for number, row in enumerate(rows, start=2)]
    if not samples:
        raise DataError(f"The table {table} lists no images.", "Unpack VisA again.")
    return sorted(
        samples, key=lambda sample: (sample.product, sample.split != "train", sample.name)
    )


def _sample(root: Path, table: Path, number: int, row: dict[str, str]) -> Sample:
    if row["split"] not in ("train", "test") or row["label"] not in _LABELS:
        raise DataError(
            f"Row {number} of {table} has split '{row['split']}' and label '{row['label']}'.",
            "Use train or test, and normal or anomaly.",
        )
    label = _LABELS[row["label"]]
    return Sample(
        product=row["object"],
        split=cast(Split, row["split"]),
        image=place_of(root, row["image"]),
        label=label,
        defect_type="anomaly" if label else "good",
        mask=place_of(root, row["mask"]) if row["mask"] else None,
    )
