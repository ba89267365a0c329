"""Tables of samples: CSV with the standard library, Parquet with pyarrow."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection
from pathlib import Path, PureWindowsPath
from types import ModuleType
from typing import Any

from mintad.data.listing import is_file
from mintad.errors import DataError, MissingExtraError

_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"\A\"?sep=.\"?\r?\n", re.IGNORECASE)  # Excel's


def read_rows(path: Path, required: Collection[str]) -> list[dict[str, str]]:
    """The rows of a CSV or Parquet file as text; an empty cell is "".

    CSV is UTF-8 or UTF-16, separated by commas, semicolons, tabs or bars. The names of columns
    are in lower case. Raises `DataError` for a missing column, a row with more cells than the
    header, or a file that is not such a table; `MissingExtraError` for Parquet without pyarrow.
    """
    if path.suffix.lower() == ".parquet":
        table = read_parquet(path, required)
        return [
            {name: "" if cell is None else str(cell).strip() for name, cell in row.items()}
            for row in table.to_pylist()
        ]
    try:
        text = _SEPARATOR_LINE.sub("", _decode(path.read_bytes()).lstrip())
        separator = _separator(text.partition("\n")[0], required)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
        _require_columns(path, required, header)
        rows = [row for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"The table {path} cannot be read as CSV: {error}.",
            "Save it as comma-separated text in UTF-8.",
        ) from error
    except OSError as error:
        raise DataError(
            f"The table {path} cannot be read: {error.strerror}.",
            "Make it a file that this user may read.",
        ) from error
    for number, row in enumerate(rows, start=1):
        if any(cell.strip() for cell in row[len(header) :]):
            raise DataError(
                f"Row {number} of the table {path} has {len(row)} cells, its header {len(header)}.",
                "Put a cell that holds the separator into double quotes.",
            )
    return [
        dict(zip(header, [cell.strip() for cell in row] + [""] * len(header), strict=False))
        for row in rows
    ]


def place_of(folder: Path, cell: str) -> Path:
    """The file that a cell names, relative to a folder, with slashes or backslashes."""
    place = folder / cell
    if "\\" not in cell or is_file(place):
        return place
    return folder / PureWindowsPath(cell).as_posix()


def _decode(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    head = content[:64]
    if head[1::2].count(0) > len(head) // 4:  # UTF-16 without its mark
        return content.decode("utf-16-le")
    if head[::2].count(0) > len(head) // 4:
        return content.decode("utf-16-be")
    return content.decode("utf-8-sig")


def _separator(header: str, required: Collection[str]) -> str:
    """The separator with which most of the columns needed are in the header."""

    def fitting(separator: str) -> int:
        names = {name.strip(' "\r\ufeff').lower() for name in header.split(separator)}
        return len(names & set(required))

    return max(_SEPARATORS, key=fitting)


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
    twice = sorted({name for name in found if name and list(found).count(name) > 1})
    if twice:
        raise DataError(
            f"The table {path} has the column {twice[0]} twice.", "Rename or remove one of them."
        )
