"""Images to inspections; no torch is imported here."""

from mintad.inspection.heatmap import colourise
from mintad.inspection.inspector import Inspection, Inspector
from mintad.inspection.paths import inspect_images, list_images
from mintad.inspection.video import frames

__all__ = ["Inspection", "Inspector", "colourise", "frames", "inspect_images", "list_images"]
