"""The metrics of anomaly detection, streaming, per product and pooled, and the evaluation."""

from mintad.metrics.curves import Ranking, rank, roc_curve
from mintad.metrics.evaluation import (
    Evaluation,
    evaluate,
    evaluate_parts,
    inspect_samples,
    labelled_test,
    sample_mask,
)
from mintad.metrics.evaluation_config import EvaluationConfig
from mintad.metrics.metric_table import MetricTable, ProductMetrics
from mintad.metrics.pixels import PixelAccumulator
from mintad.metrics.profiles import REFERENCE, Profile, find_profiles, list_profiles
from mintad.metrics.registry import IMAGE_METRICS, METRICS, PIXEL_METRICS, Metric, headings
from mintad.metrics.streaming import StreamingMetrics, image_metrics

__all__ = [
    "IMAGE_METRICS",
    "METRICS",
    "PIXEL_METRICS",
    "REFERENCE",
    "Evaluation",
    "EvaluationConfig",
    "Metric",
    "MetricTable",
    "PixelAccumulator",
    "ProductMetrics",
    "Profile",
    "Ranking",
    "StreamingMetrics",
    "evaluate",
    "evaluate_parts",
    "find_profiles",
    "headings",
    "image_metrics",
    "inspect_samples",
    "labelled_test",
    "list_profiles",
    "rank",
    "roc_curve",
    "sample_mask",
]
