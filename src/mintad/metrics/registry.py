"""The metrics: what each is called, what it means, and how a profile lets it be computed.

A metric is added here alone: accumulator, files, tables, report and laboratory read `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mintad.metrics import curves
from mintad.metrics.curves import Ranking

if TYPE_CHECKING:
    from mintad.metrics.profiles import Profile

Kind = Literal["image", "pixel"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric over the ranked images, or the ranked pixels, of a product or of all.

    `key` names it in files, `name` under the heading of its kind in tables, and `title` where it
    stands alone. `chance` is what guessing reaches. `measure` takes a ranking of good and
    defective members, and raises `UndefinedError` where it has no value all the same.
    """

    key: str
    kind: Kind
    name: str
    title: str
    chance: float
    meaning: str
    measure: Callable[[Ranking, Profile], float]


def _auroc(ranking: Ranking, profile: Profile) -> float:
    area = curves.auroc(ranking)
    return max(area, 1 - area) if profile.auroc_mirrored else area


def _average_precision(ranking: Ranking, profile: Profile) -> float:
    return curves.average_precision(ranking)


def _f1_max(ranking: Ranking, profile: Profile) -> float:
    return curves.f1_max(ranking)


def _pixel_f1_max(ranking: Ranking, profile: Profile) -> float:
    steps = profile.f1_thresholds
    if steps is None:
        return curves.f1_max(ranking)
    return curves.f1_max(ranking, np.linspace(ranking.lowest, ranking.highest, steps))


def _aupro(ranking: Ranking, profile: Profile) -> float:
    steps = profile.aupro_thresholds
    if steps is None:
        return curves.overlap_area(ranking, profile.aupro_limit)
    thresholds = np.linspace(ranking.lowest, ranking.highest, steps, endpoint=False)
    return curves.overlap_area_at(ranking, thresholds, profile.aupro_limit, profile.aupro_scale)


METRICS: Mapping[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric(
            "i_auroc",
            "image",
            "AUROC",
            "image AUROC",
            0.5,
            "How often a defective image scores higher than a good one; 0.5 is chance.",
            _auroc,
        ),
        Metric(
            "i_ap",
            "image",
            "AP",
            "image AP",
            0.0,
            "Average precision over images: precision averaged over all shares of defects found.",
            _average_precision,
        ),
        Metric(
            "i_f1max",
            "image",
            "F1-max",
            "image F1-max",
            0.0,
            "The best balance of precision and recall that any threshold on the image score "
            "reaches.",
            _f1_max,
        ),
        Metric(
            "p_auroc",
            "pixel",
            "AUROC",
            "pixel AUROC",
            0.5,
            "The same as for images, for every pixel of the map.",
            _auroc,
        ),
        Metric(
            "p_ap",
            "pixel",
            "AP",
            "pixel AP",
            0.0,
            "Average precision over pixels; strict, because few pixels are defective.",
            _average_precision,
        ),
        Metric(
            "p_f1max",
            "pixel",
            "F1-max",
            "pixel F1-max",
            0.0,
            "The best balance of precision and recall over pixels.",
            _pixel_f1_max,
        ),
        Metric(
            "aupro",
            "pixel",
            "AUPRO",
            "AUPRO",
            0.0,
            "How much of each defect is covered, every defect counting the same whatever its "
            "size, up to 30 % false positive pixels.",
            _aupro,
        ),
    )
}
"""Every metric by its key, in the order of tables: those of images, then those of pixels."""

IMAGE_METRICS = tuple(key for key, metric in METRICS.items() if metric.kind == "image")
PIXEL_METRICS = tuple(key for key, metric in METRICS.items() if metric.kind == "pixel")


def headings() -> list[str]:
    """A heading for each metric of a plain table; the first of a kind names the kind."""
    first = {IMAGE_METRICS[0], PIXEL_METRICS[0]}
    return [metric.title if key in first else metric.name for key, metric in METRICS.items()]
