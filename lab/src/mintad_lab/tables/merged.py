"""Every product that there is, in one model."""

from mintad_lab.experiment.table import Table
from mintad_lab.tables.rows import UNIFIED

TABLE = Table("merged", "And with every product at once?", UNIFIED)
