"""Gathers scores and maps of many images, in bounded memory, until they are measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mintad.metrics.curves import Ranking, UndefinedError, rank
from mintad.metrics.geometry import profile_map, profile_mask, score_map
from mintad.metrics.metric_table import MetricTable, ProductMetrics, ScoresAndLabels
from mintad.metrics.pixels import CAPACITY, PixelAccumulator
from mintad.metrics.profiles import Profile, reference_profile
from mintad.metrics.registry import IMAGE_METRICS, METRICS, Kind


class StreamingMetrics:
    """Gathers image scores and anomaly maps of many products, in any order.

    Maps, masks and scores are measured as `profile` says: `mintad` unless another is given.
    Pixels take about 8 MB per product however many maps there are; image scores are kept.
    """

    def __init__(self, profile: Profile | None = None, *, capacity: int = CAPACITY) -> None:
        self.profile = profile or reference_profile()
        self._capacity = capacity
        self._products: dict[str, _Product] = {}

    def update(
        self,
        product: str,
        *,
        score: float,
        label: int,
        anomaly_map: NDArray[np.float32] | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add an image: its score, its label (0 good, 1 defective), its map and its mask.

        The map `(h, w)` and the mask `(H, W)` both cover the whole picture; the mask is brought
        to the size at which the profile compares them. The pixels of a good image are all good.
        A defective image without a mask is left out of the pixel metrics. Raises `ValueError`,
        naming the product, where a value is not finite or the arguments contradict each other,
        and adds nothing.
        """
        state = self._products.get(product) or _Product(PixelAccumulator(self._capacity))
        try:
            state.add(_measured(self.profile, float(score), label, anomaly_map, mask))
        except ValueError as error:
            raise ValueError(f"Product {product!r}: {error}") from error
        self._products.setdefault(product, state)

    def result(self) -> MetricTable:
        """The metrics so far, products sorted by name."""
        products = dict(sorted(self._products.items()))
        everything = _Product(PixelAccumulator(self._capacity))
        for state in products.values():
            everything.merge(state)
        rows = {name: state.row(self.profile) for name, state in products.items()}
        scores = {name: state.scores_and_labels() for name, state in products.items()}
        return MetricTable(rows, everything.row(self.profile), scores)


def image_metrics(
    scores: ArrayLike, labels: ArrayLike, profile: Profile | None = None
) -> dict[str, float]:
    """Each of `IMAGE_METRICS` of scores `(N,)` with labels `(N,)`, 0 good and 1 defective.

    Raises `ValueError` where a score is not finite, a label is neither 0 nor 1, or one of the
    two classes is missing.
    """
    ranking, profile = rank(scores, labels), profile or reference_profile()
    return {metric: METRICS[metric].measure(ranking, profile) for metric in IMAGE_METRICS}


@dataclass(frozen=True, slots=True)
class _Image:
    """What a profile measures of an image; `masked` says that a defect came with its mask."""

    score: float
    label: int
    anomaly_map: NDArray[np.float32] | None = None
    mask: NDArray[np.bool_] | None = None
    masked: bool = False


def _measured(
    profile: Profile,
    score: float,
    label: int,
    anomaly_map: NDArray[np.float32] | None,
    mask: NDArray[np.bool_] | None,
) -> _Image:
    if label not in (0, 1):
        raise ValueError(f"A label must be 0 or 1, not {label!r}.")
    if label == 0 and mask is not None and mask.any():
        raise ValueError("A good image has a mask with defective pixels.")
    from_map = profile.image_score != "model"
    if anomaly_map is None:
        if from_map:
            raise ValueError(f"The protocol {profile.name} reads the score from an anomaly map.")
        image = _Image(score, int(label))
    else:
        if anomaly_map.ndim != 2 or not np.isfinite(anomaly_map).all():
            raise ValueError("The anomaly map is not (h, w), or holds NaN or infinity.")
        prepared = profile_map(anomaly_map, profile)
        if from_map:
            score = score_map(prepared, profile.image_score)
        masked = label == 1 and mask is not None
        area = None
        if label == 0:
            area = np.zeros(prepared.shape, np.bool_)
        elif mask is not None:
            area = profile_mask(mask, profile, anomaly_map.shape)
            if profile.image_label == "mask":
                label = int(area.any())
        image = _Image(score, int(label), prepared, area, masked)
    if not np.isfinite(score):
        raise ValueError(f"The image score is {score}.")
    return image


@dataclass(slots=True)
class _Product:
    """What has been gathered of one product; `has_masks` where a defect came with its mask."""

    pixels: PixelAccumulator
    scores: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    has_maps: bool = False
    has_masks: bool = False

    def add(self, image: _Image) -> None:
        if image.anomaly_map is not None:
            if image.mask is not None:
                self.pixels.update(image.anomaly_map, image.mask)
            self.has_maps = True
            self.has_masks |= image.masked
        self.scores.append(image.score)
        self.labels.append(image.label)

    def merge(self, other: _Product) -> None:
        """Add another product; its pixels only where it has masks."""
        self.scores += other.scores
        self.labels += other.labels
        self.has_maps |= other.has_maps
        self.has_masks |= other.has_masks
        if other.has_masks:
            self.pixels.merge(other.pixels)

    def scores_and_labels(self) -> ScoresAndLabels:
        return np.asarray(self.scores, dtype=np.float64), np.asarray(self.labels, dtype=np.int64)

    def row(self, profile: Profile) -> ProductMetrics:
        rankings = self._rankings()
        values: dict[str, float | None] = {}
        undefined: dict[str, str] = {}
        for key, metric in METRICS.items():
            ranking = rankings[metric.kind]
            values[key] = None
            if isinstance(ranking, str):
                undefined[key] = ranking
                continue
            try:
                values[key] = metric.measure(ranking, profile)
            except UndefinedError as error:
                undefined[key] = str(error)
        n_defect = sum(self.labels)
        return ProductMetrics(values, undefined, len(self.labels) - n_defect, n_defect)

    def _rankings(self) -> dict[Kind, Ranking | str]:
        """The ranked images and pixels, or why there is nothing to measure."""
        n_defect = sum(self.labels)
        if not n_defect:
            missing = "no defective images" if self.labels else "no images"
            return {"image": missing, "pixel": "no defective images"}
        images = rank(*self.scores_and_labels()) if n_defect < len(self.labels) else None
        reason = self.pixels.undefined if self.has_masks else "no masks"
        if not self.has_maps:
            reason = "no anomaly maps"
        return {"image": images or "no good images", "pixel": reason or self.pixels.ranking()}
