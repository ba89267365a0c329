"""The seven metrics of anomaly detection, streaming, per product and pooled; numpy only."""

from mintad.metrics.curves import ImageMetrics, image_metrics, roc_curve
from mintad.metrics.evaluation import (
    IMAGE_METRICS,
    METRICS,
    PIXEL_METRICS,
    Evaluation,
    Evaluator,
    Row,
    format_table,
)
from mintad.metrics.pixels import PixelAccumulator, PixelMetrics
from mintad.metrics.regions import label_regions

__all__ = [
    "IMAGE_METRICS",
    "METRICS",
    "PIXEL_METRICS",
    "Evaluation",
    "Evaluator",
    "ImageMetrics",
    "PixelAccumulator",
    "PixelMetrics",
    "Row",
    "format_table",
    "image_metrics",
    "label_regions",
    "roc_curve",
]
