"""Training images with the name of another product."""

from mintad_lab.experiment.table import Case, Table
from mintad_lab.tables.rows import ROBUST

TABLE = Table(
    "mislabelled",
    "What if training images carry the name of another product?",
    ROBUST,
    tuple(Case(f"{share:.0%}", "mislabelled", share) for share in (0.0, 0.05, 0.2)),
    against="the first case",
    note="Unified peers are told no product and cannot be harmed by a wrong one.",
)
