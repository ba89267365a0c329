"""Fewer and fewer training images."""

from mintad_lab.experiment.table import Case, Table
from mintad_lab.tables.rows import ROBUST

TABLE = Table(
    "low-data",
    "How few good images of a product are enough?",
    ROBUST,
    (Case(), *(Case(f"{count} images", "few", count) for count in (64, 16, 4))),
    against="the first case",
    note="The smaller sets are parts of the larger ones; each seed draws its own.",
)
