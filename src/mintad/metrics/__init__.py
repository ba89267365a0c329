"""The seven metrics of anomaly detection, streaming, per product and pooled; numpy only."""

from mintad.metrics.curves import ImageMetrics, image_metrics, roc_curve
from mintad.metrics.pixels import PixelAccumulator, PixelMetrics
from mintad.metrics.regions import label_regions
from mintad.metrics.streaming import (
    IMAGE_METRICS,
    METRICS,
    PIXEL_METRICS,
    MetricTable,
    Row,
    StreamingMetrics,
    format_table,
)

__all__ = [
    "IMAGE_METRICS",
    "METRICS",
    "PIXEL_METRICS",
    "ImageMetrics",
    "MetricTable",
    "PixelAccumulator",
    "PixelMetrics",
    "Row",
    "StreamingMetrics",
    "format_table",
    "image_metrics",
    "label_regions",
    "roc_curve",
]
