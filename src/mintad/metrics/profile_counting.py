"""The metrics of one product under a protocol, from pixels that were gathered in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mintad.metrics import METRICS, PixelAccumulator, Row, curves
from mintad.metrics.profiles import Profile

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Gathered:
    """What was seen of a product: image scores and labels, pixels, lowest and highest score."""

    scores: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    pixels: PixelAccumulator = field(default_factory=PixelAccumulator)
    lowest: float = np.inf
    highest: float = -np.inf

    def add(
        self,
        score: float,
        label: int,
        anomaly_map: NDArray[np.float32],
        mask: NDArray[np.bool_] | None,
    ) -> None:
        """An image; without a mask its pixels are left out."""
        self.scores.append(score)
        self.labels.append(label)
        if mask is not None:
            self.pixels.update(anomaly_map, mask)
            self.lowest = min(self.lowest, float(anomaly_map.min()))
            self.highest = max(self.highest, float(anomaly_map.max()))

    def merge(self, other: Gathered) -> None:
        """Adds everything that `other` has seen."""
        self.scores += other.scores
        self.labels += other.labels
        self.pixels.merge(other.pixels)
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)

    def row(self, profile: Profile) -> Row:
        """Its metrics as the protocol counts them."""
        n_defect = sum(self.labels)
        n_good = len(self.labels) - n_defect
        values: dict[str, float | None] = dict.fromkeys(METRICS)
        undefined: dict[str, str] = {}
        if n_good and n_defect:
            image = curves.image_metrics(np.array(self.scores), np.array(self.labels))
            area = _mirrored(image.auroc, profile)
            values |= {"i_auroc": area, "i_ap": image.ap, "i_f1max": image.f1max}
        else:
            missing = "no good images" if n_defect else "no defective images"
            undefined |= dict.fromkeys(("i_auroc", "i_ap", "i_f1max"), missing)
        if self.pixels.undefined is None:
            values |= self._pixel_values(profile)
            if values["aupro"] is None:
                undefined["aupro"] = "fewer than two thresholds below the limit"
        else:
            missing = self.pixels.undefined
            undefined |= dict.fromkeys(("p_auroc", "p_ap", "p_f1max", "aupro"), missing)
        return Row(values, undefined, n_good, n_defect)

    def _pixel_values(self, profile: Profile) -> dict[str, float | None]:
        scores, negatives, positives, overlaps = self.pixels.ranked()
        steps = profile.f1_thresholds
        if steps is None:
            f1, _ = curves.f1_max(scores, positives, negatives)
        else:
            thresholds = np.linspace(self.lowest, self.highest, steps)
            f1 = _f1_at(scores, negatives, positives, thresholds)
        steps = profile.aupro_thresholds
        aupro: float | None
        if steps is None:
            aupro = curves.overlap_area(overlaps, negatives, profile.aupro_limit)
        else:
            thresholds = np.linspace(self.lowest, self.highest, steps, endpoint=False)
            aupro = _aupro_at(scores, negatives, overlaps, thresholds, profile)
        return {
            "p_auroc": _mirrored(curves.auroc(positives, negatives), profile),
            "p_ap": curves.average_precision(positives, negatives),
            "p_f1max": f1,
            "aupro": aupro,
        }


def _mirrored(area: float, profile: Profile) -> float:
    return max(area, 1 - area) if profile.auroc_mirrored else area


def _above(scores: Floats, weights: Floats, thresholds: Floats) -> Floats:
    """The weight above each threshold `(T,)`; `scores` `(D,)` come highest first."""
    count = np.searchsorted(-scores, -thresholds, side="left")
    sums: Floats = np.concatenate(([0.0], np.cumsum(weights)))[count]
    return sums


def _f1_at(scores: Floats, negatives: Floats, positives: Floats, thresholds: Floats) -> float:
    hits = _above(scores, positives, thresholds)
    alarms = hits + _above(scores, negatives, thresholds)
    return float(np.max(2 * hits / (alarms + positives.sum())))


def _aupro_at(
    scores: Floats, negatives: Floats, overlaps: Floats, thresholds: Floats, profile: Profile
) -> float | None:
    """The area over the points of the thresholds, trapezoids between them, none before the first.

    None where fewer than two points lie below the limit.
    """
    rate = _above(scores, negatives, thresholds)[::-1] / negatives.sum()  # ascending
    overlap = _above(scores, overlaps, thresholds)[::-1] / overlaps.sum()
    below = rate < profile.aupro_limit
    rate, overlap = rate[below], overlap[below]
    start = rate[0] if profile.aupro_scale == "span" and rate.size else 0.0
    if rate.size < 2 or rate[-1] <= start:
        return None
    end = profile.aupro_limit if profile.aupro_scale == "limit" else rate[-1]
    area = np.sum(np.diff(rate) * (overlap[1:] + overlap[:-1])) / 2
    return float(area / (end - start))
