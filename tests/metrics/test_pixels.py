from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from sklearn import metrics as reference

from mintad.metrics import METRICS, PIXEL_METRICS, PixelAccumulator, find_profiles

SIDE = 256
Maps = list[tuple[np.ndarray, np.ndarray]]


def discs(rng: np.random.Generator, count: int, side: int) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    mask = np.zeros((side, side), dtype=bool)
    for _ in range(count):
        row, column = rng.integers(0, side, 2)
        mask |= (y - row) ** 2 + (x - column) ** 2 <= rng.integers(1, side // 6) ** 2
    return mask


def heavy_tailed(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    return np.exp(rng.normal(0, 1, mask.shape) + 2 * mask)


def wide(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    return rng.choice([-1.0, 1.0], mask.shape) * np.exp(rng.normal(0, 14, mask.shape)) + 3.0 * mask


def smooth(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    noise = ndimage.zoom(rng.gamma(2.0, 1.0, (16, 16)), mask.shape[0] / 16, order=1)
    return noise + ndimage.gaussian_filter(4.0 * mask, 3)


def signed(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    return rng.normal(0, 1, mask.shape) + 2.5 * mask


def saturated(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-rng.normal(-4, 6, mask.shape) - 14 * mask))


def narrow(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    return 1000 + rng.normal(0, 1, mask.shape) + 2 * mask


def mostly_zero(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    return np.maximum(rng.normal(-1.5, 1, mask.shape) + 2 * mask, 0)


def few_values(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    return np.round(4 * (rng.normal(0, 1, mask.shape) + 2 * mask)) / 4


KINDS = [heavy_tailed, wide, smooth, signed, saturated, narrow, mostly_zero, few_values]


def make_maps(kind: object, count: int, side: int = SIDE, regions: int = 8) -> Maps:
    """Good maps first, then as many defective ones: the order that is hardest to compress."""
    rng = np.random.default_rng(7)
    masks = [discs(rng, regions if number >= count // 2 else 0, side) for number in range(count)]
    return [(kind(rng, mask).astype(np.float32), mask) for mask in masks]  # type: ignore[operator]


def streamed(maps: Maps) -> dict[str, float]:
    accumulator = PixelAccumulator()
    for anomaly_map, mask in maps:
        accumulator.update(anomaly_map, mask)
    return measured(accumulator)


def measured(accumulator: PixelAccumulator) -> dict[str, float]:
    (profile,) = find_profiles([])
    ranking = accumulator.ranking()
    return {key: METRICS[key].measure(ranking, profile) for key in PIXEL_METRICS}


def reference_aupro(maps: Maps) -> float:
    """Sort all pixels and accumulate 1 / |region| of the defective ones."""
    scores, weights, good, regions = [], [], [], 0
    for anomaly_map, mask in maps:
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.ravel())
        scores.append(anomaly_map.ravel())
        weights.append(np.where(mask, 1 / sizes[labels], 0).ravel())
        good.append(~mask.ravel())
        regions += count
    order = np.argsort(-np.concatenate(scores), kind="stable")
    ranked = np.concatenate(scores)[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    overlap = np.cumsum(np.concatenate(weights)[order])[last_of_ties] / regions
    alarms = np.cumsum(np.concatenate(good)[order])[last_of_ties]
    return area_up_to(np.append(0, alarms / alarms[-1]), np.append(0, overlap), 0.3)


def area_up_to(rate: np.ndarray, overlap: np.ndarray, limit: float) -> float:
    inside = rate < limit
    first = int(np.argmin(inside))
    last = np.interp(limit, rate[first - 1 : first + 1], overlap[first - 1 : first + 1])
    return float(
        reference.auc(np.append(rate[inside], limit), np.append(overlap[inside], last)) / limit
    )


def naive_aupro(maps: Maps) -> float:
    """Loop over every threshold and every region."""
    scores = sorted({float(value) for anomaly_map, _ in maps for value in anomaly_map.ravel()})
    points = [(0.0, 0.0)]
    for threshold in reversed(scores):
        overlaps, false_alarms, good = [], 0, 0
        for anomaly_map, mask in maps:
            alarm = anomaly_map >= threshold
            labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
            overlaps += [alarm[labels == number].mean() for number in range(1, count + 1)]
            false_alarms += int((alarm & ~mask).sum())
            good += int((~mask).sum())
        points.append((false_alarms / good, float(np.mean(overlaps))))
    rate, overlap = np.array(points).T
    return area_up_to(rate, overlap, 0.3)


def exact(maps: Maps) -> dict[str, float]:
    scores = np.concatenate([anomaly_map.ravel() for anomaly_map, _ in maps])
    labels = np.concatenate([mask.ravel() for _, mask in maps])
    precision, recall, _ = reference.precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    return {
        "p_auroc": float(reference.roc_auc_score(labels, scores)),
        "p_ap": float(reference.average_precision_score(labels, scores)),
        "p_f1max": float(f1.max()),
        "aupro": reference_aupro(maps),
    }


def assert_close(found: dict[str, float], expected: dict[str, float], tolerance: float) -> None:
    assert found == pytest.approx(expected, abs=tolerance, rel=0)


@pytest.mark.parametrize("kind", KINDS)
def test_streaming_is_within_a_ten_thousandth_of_exact(kind: object) -> None:
    maps = make_maps(kind, 24)
    assert_close(streamed(maps), exact(maps), 1e-4)


@pytest.mark.parametrize("kind", [heavy_tailed, saturated, signed])
def test_few_defective_pixels_among_many_good_ones(kind: object) -> None:
    maps = make_maps(kind, 24)
    for _, mask in maps[:-1]:
        mask[:] = False
    maps[-1][1][:200] = False
    assert 0 < maps[-1][1].sum() < 10_000
    assert_close(streamed(maps), exact(maps), 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_small_sets_are_exact(kind: object) -> None:
    maps = make_maps(kind, 4, side=64)
    assert_close(streamed(maps), exact(maps), 1e-12)


@pytest.mark.parametrize("kind", [mostly_zero, few_values, smooth])
def test_aupro_equals_the_naive_loop(kind: object) -> None:
    maps = make_maps(kind, 4, side=24, regions=5)
    assert streamed(maps)["aupro"] == pytest.approx(naive_aupro(maps), abs=1e-12)


small_map = arrays(np.float32, (5, 6), elements=st.integers(-3, 3) | st.floats(-4, 4, width=32))
small_mask = arrays(bool, (5, 6))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(small_map, small_mask), min_size=1, max_size=3))
def test_any_small_maps(maps: Maps) -> None:
    masks = np.stack([mask for _, mask in maps])
    if masks.all() or not masks.any():
        with pytest.raises(ValueError, match="undefined"):
            streamed(maps)
    else:
        assert_close(streamed(maps), exact(maps), 1e-12)
        assert streamed(maps)["aupro"] == pytest.approx(naive_aupro(maps), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 4))
def test_merging_equals_one_stream_in_any_order(order: list[int], cut: int) -> None:
    maps = make_maps(few_values, 4, side=20)
    left, right = PixelAccumulator(), PixelAccumulator()
    for number in order[:cut]:
        left.update(*maps[number])
    for number in order[cut:]:
        right.update(*maps[number])
    left.merge(right)
    assert_close(measured(left), streamed(maps), 1e-12)
    ranking = left.ranking()
    regions = sum(ndimage.label(mask, np.ones((3, 3)))[1] for _, mask in maps)
    assert ranking.overlaps.sum() == pytest.approx(regions, rel=1e-12)
    scores = [anomaly_map for anomaly_map, _ in maps]
    assert (ranking.lowest, ranking.highest) == (np.min(scores), np.max(scores))


def test_merging_maps_of_one_class_alone() -> None:
    ramp = np.arange(12, dtype=np.float32).reshape(3, 4)
    defective, good = PixelAccumulator(), PixelAccumulator()
    defective.update(ramp, np.ones((3, 4), dtype=bool))
    good.update(-ramp, np.zeros((3, 4), dtype=bool))
    merged = PixelAccumulator()
    for part in (defective, good, PixelAccumulator()):
        merged.merge(part)
    maps = [(ramp, np.ones((3, 4), dtype=bool)), (-ramp, np.zeros((3, 4), dtype=bool))]
    assert_close(measured(merged), exact(maps), 1e-12)
    assert defective.undefined == "no good pixels"
    assert good.undefined == "no defective pixels"


def test_merging_beyond_the_capacity() -> None:
    maps = make_maps(heavy_tailed, 24)
    parts = [PixelAccumulator() for _ in range(4)]
    for number, (anomaly_map, mask) in enumerate(maps):
        parts[number % 4].update(anomaly_map, mask)
    pooled = PixelAccumulator()
    for part in parts:
        before = part.good_pixels
        pooled.merge(part)
        assert part.good_pixels == before
    assert_close(measured(pooled), exact(maps), 1e-4)


def test_tables_stay_within_their_capacity() -> None:
    accumulator = PixelAccumulator(1024)
    regions = 0
    for anomaly_map, mask in make_maps(wide, 10):
        accumulator.update(anomaly_map, mask)
        regions += ndimage.label(mask, np.ones((3, 3)))[1]
    good, defective = accumulator._good.table(), accumulator._defective.table()
    assert 500 <= good.keys.size <= 1024
    assert 500 <= defective.keys.size <= 1024
    assert (np.diff(defective.keys) > 0).all()
    assert good.weights.sum() == accumulator.good_pixels
    assert defective.weights[0].sum() == accumulator.defective_pixels
    assert defective.weights[1].sum() == pytest.approx(regions, rel=1e-9)
    assert (np.diff(good.keys) > 0).all()


def test_memory_does_not_grow_with_the_number_of_maps() -> None:
    rng = np.random.default_rng(0)
    mask = discs(rng, 20, SIDE)
    accumulators = [PixelAccumulator() for _ in range(2)]
    tracemalloc.start()
    try:
        peaks = []
        for _ in range(3):
            tracemalloc.reset_peak()
            for number in range(32):
                anomaly_map = rng.random((SIDE, SIDE), dtype=np.float32)
                accumulators[number % 2].update(anomaly_map + mask, mask)
            peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        held = tracemalloc.get_traced_memory()[0] / 2**20
    finally:
        tracemalloc.stop()
    assert peaks[2] < 1.05 * peaks[1]
    # Held per product, at most: 2**17 rows x 12 bytes, 2**17 rows x 20 bytes, 2**19 pixels x 4
    # and 2**17 pixels x 12 that wait: 7.5 MiB, the last map's overhang aside. The rest of the
    # peak is the work on one product. For 20,000 maps of 30 products that is 30 x 7.5 + 60 MiB.
    assert held / 2 < 8.5
    assert peaks[1] - held < 60


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_and_leave_nothing(value: float) -> None:
    accumulator = PixelAccumulator()
    anomaly_map = np.zeros((4, 4), dtype=np.float32)
    anomaly_map[2, 1] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        accumulator.update(anomaly_map, np.eye(4, dtype=bool))
    assert (accumulator.good_pixels, accumulator.defective_pixels) == (0, 0)


def test_extreme_finite_values() -> None:
    limits = np.finfo(np.float32)
    values = [limits.min, -limits.tiny, -0.0, 0.0, limits.smallest_subnormal, limits.max]
    maps = [(np.array([values], dtype=np.float32), np.array([[0, 0, 1, 0, 1, 1]], dtype=bool))]
    assert_close(streamed(maps), exact(maps), 1e-12)


@pytest.mark.parametrize(
    ("anomaly_map", "mask"),
    [
        (np.zeros((2, 3), np.float32), np.zeros((3, 2), bool)),
        (np.zeros(3, np.float32), np.zeros(3, bool)),
        (np.zeros((2, 2), np.float32), np.zeros((2, 2), np.uint8)),
    ],
)
def test_maps_and_masks_that_do_not_fit_are_refused(
    anomaly_map: np.ndarray, mask: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="mask"):
        PixelAccumulator().update(anomaly_map, mask)


def test_too_small_a_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="64"):
        PixelAccumulator(8)
