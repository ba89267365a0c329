"""Images to inspections; no torch is imported here."""

from mintad.inspection.inspector import Inspection, Inspector

__all__ = ["Inspection", "Inspector"]
