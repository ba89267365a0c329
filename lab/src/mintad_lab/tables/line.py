"""A line of several products: every method, unified and separate, timed from the images."""

from mintad_lab.experiment.table import Table
from mintad_lab.tables.rows import UNIFIED

TABLE = Table(
    "line",
    "Which method inspects a line of several products best?",
    tuple(row for method in UNIFIED for row in (method, method.apart())),
    from_images=True,
)
