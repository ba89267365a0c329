"""Defects among the training images."""

from mintad_lab.experiment.table import Case, Table
from mintad_lab.tables.rows import ROBUST

TABLE = Table(
    "contaminated",
    "What if there are defects among the training images?",
    ROBUST,
    tuple(Case(f"{share:.0%}", "contaminated", share) for share in (0.0, 0.05, 0.1)),
    against="the first case",
    note="The defects come from the test images, at most half of a product's; those set aside for "
    "the largest share are missing from every test, so that all cases of a seed have the same one.",
)
