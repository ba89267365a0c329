"""Tables of samples: CSV with the standard library, Parquet with pyarrow."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from mintad.errors import DataError, MissingExtraError


def read_rows(path: Path, required: Collection[str]) -> list[dict[str, str]]:
    """The rows of a CSV or Parquet file as text; an empty cell is "".

    Raises `DataError` for a missing column or a file that is not such a table,
    `MissingExtraError` for Parquet without pyarrow.
    """
    if path.suffix.lower() == ".parquet":
        table = read_parquet(path, required)
        return [
            {name: "" if cell is None else str(cell).strip() for name, cell in row.items()}
            for row in table.to_pylist()
        ]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _require_columns(path, required, reader.fieldnames or ())
            return [
                {name: (cell or "").strip() for name, cell in row.items() if name is not None}
                for row in reader
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"The table {path} cannot be read as CSV: {error}.",
            "Save it as comma-separated text in UTF-8.",
        ) from error


def read_parquet(path: Path, required: Collection[str]) -> Any:
    """The Parquet file as a `pyarrow.Table`; errors as in `read_rows`."""
    parquet = _pyarrow_parquet()
    try:
        file = parquet.ParquetFile(path)
        _require_columns(path, required, file.schema_arrow.names)
        return file.read()
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise DataError(
            f"The table {path} cannot be read as Parquet: {error}.", "Write the file again."
        ) from error


def _pyarrow_parquet() -> ModuleType:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("Reading Parquet", "tables") from error
    return parquet


def _require_columns(path: Path, required: Collection[str], found: Collection[str]) -> None:
    missing = [name for name in required if name not in found]
    if missing:
        raise DataError(
            f"The table {path} has no column {', '.join(missing)}; "
            f"it has {', '.join(found) or 'none'}.",
            f"Add what is missing, or rename a column; needed are {', '.join(required)}.",
        )
