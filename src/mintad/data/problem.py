"""What validation reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "missing",
    "empty",
    "truncated",
    "too large",
    "unreadable",
    "duplicate",
    "duplicate in train and test",
    "duplicate in two products",
    "duplicate with two labels",
    "left out",
    "mask without image",
    "mask of several images",
    "mask of most of the picture",
    "defect without mask",
    "mask of another size",
    "empty mask",
    "mask on good image",
    "label contradiction",
    "no good images",
    "few good images",
    "unusual size",
    "mixed grey and colour",
    "unused bits",
    "more bits than said",
    "several pages",
    "transparent everywhere",
    "odd product",
    "mask among images",
]
"""What can be wrong, in words for tables and filters."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `name` is the file or the product, `mend` says what to do.

    >>> Path("data/blobs/train/good/002.png").write_bytes(b"")
    0
    >>> (problem,) = mintad.validate("data")
    >>> problem.severity, problem.kind
    ('error', 'empty')
    """

    severity: Literal["error", "warning"]
    kind: Kind
    name: str
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} {self.mend}"
