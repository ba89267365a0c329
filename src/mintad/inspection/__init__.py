"""Images to inspections; no torch is imported here."""

from mintad.inspection.heatmap import colourise
from mintad.inspection.inspector import Inspection, Inspector

__all__ = ["Inspection", "Inspector", "colourise"]
