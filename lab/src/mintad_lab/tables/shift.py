"""Test images of another day."""

from mintad_lab.experiment.shifting import SHIFTS
from mintad_lab.experiment.table import Case, Table
from mintad_lab.tables.rows import ROBUST

TABLE = Table(
    "shift",
    "What if the test images are taken on another day?",
    ROBUST,
    (Case("as they are"), *(Case(name, "shifted") for name in SHIFTS)),
    against="the first case",
    shares_training=True,
    note="Training images and calibration are those of the first case.",
)
