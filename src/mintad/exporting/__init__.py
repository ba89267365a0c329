"""From a trained network to graphs that run without torch, in lower precision too."""

from mintad.exporting.good_images import CalibrationImages, calibration_images
from mintad.exporting.graphs import export_bundle, export_graphs, export_trained

__all__ = [
    "CalibrationImages",
    "calibration_images",
    "export_bundle",
    "export_graphs",
    "export_trained",
]
