"""Protocols: geometry, metrics against plain definitions, and the pass over a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from sklearn import metrics

from mintad.errors import ConfigError
from mintad.metrics import ProductMetrics, Profile, StreamingMetrics, find_profiles, list_profiles
from mintad.metrics.geometry import profile_map, profile_mask, resize_map, score_map, smooth

PLAIN = Profile(name="plain", note="", sources=())


def with_fields(**fields: Any) -> Profile:
    return PLAIN.model_copy(update=fields)


def test_every_profile_names_its_sources() -> None:
    assert list_profiles() == ["mintad", "uniad", "ader", "dinomaly"]
    for profile in find_profiles(["all"]):
        assert profile.sources
        assert profile.note


def test_the_reference_always_comes_first() -> None:
    names = [profile.name for profile in find_profiles(["dinomaly", "mintad", PLAIN])]
    assert names == ["mintad", "dinomaly", "plain"]
    with pytest.raises(ConfigError, match="no protocol named 'other'"):
        find_profiles(["other"])


@pytest.mark.parametrize(
    ("field", "allowed", "refused"),
    [
        ("enlarged", [1], [0]),
        ("crop", [1], [0]),
        ("size", [1], [0]),
        ("mask_threshold", [0, 0.9], [-0.1, 1]),
        ("smoothing_sigma", [0, 0.1], [-0.1]),
        ("smoothing_window", [1], [0]),
        ("f1_thresholds", [2], [1]),
        ("aupro_thresholds", [2], [1]),
        ("aupro_limit", [0.1, 1], [0, 1.1]),
        ("aupro_scale", ["limit", "last", "span"], ["all"]),
    ],
)
def test_a_profile_has_bounds(field: str, allowed: list[Any], refused: list[Any]) -> None:
    for value in allowed:
        assert getattr(Profile(name="own", note="", sources=(), **{field: value}), field) == value
    for value in refused:
        with pytest.raises(ValueError, match=field):
            Profile(name="own", note="", sources=(), **{field: value})


@pytest.mark.parametrize("size", [(7, 31), (40, 40), (13, 20)])
def test_maps_are_resized_as_torch_does(size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    anomaly_map = np.random.default_rng(0).normal(size=(13, 20)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(anomaly_map)[None, None], size=size, mode="bilinear", align_corners=False
    )[0, 0]
    np.testing.assert_allclose(resize_map(anomaly_map, size), expected.numpy(), atol=1e-5)


def test_smoothing_is_that_of_scipy() -> None:
    anomaly_map = np.random.default_rng(1).normal(size=(40, 50)).astype(np.float32)
    found = smooth(anomaly_map, with_fields(smoothing_sigma=4.0))
    np.testing.assert_allclose(found, ndimage.gaussian_filter(anomaly_map, 4.0), atol=1e-5)


def test_a_narrow_window_with_zeros_beyond_the_edge() -> None:
    torch = pytest.importorskip("torch")
    anomaly_map = np.random.default_rng(2).normal(size=(20, 30)).astype(np.float32)
    line = np.exp(-0.5 * (np.arange(-2, 3) / 4.0) ** 2)
    kernel = np.outer(line, line) / np.outer(line, line).sum()
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(anomaly_map)[None, None],
        torch.from_numpy(kernel).float()[None, None],
        padding=2,
    )[0, 0]
    profile = with_fields(smoothing_sigma=4.0, smoothing_window=5, smoothing_edge="zero")
    np.testing.assert_allclose(smooth(anomaly_map, profile), expected.numpy(), atol=1e-5)


def test_image_scores() -> None:
    anomaly_map = np.random.default_rng(3).normal(size=(40, 50)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(anomaly_map, (16, 16))
    assert score_map(anomaly_map, "pooled-max") == pytest.approx(windows.mean((2, 3)).max())
    assert score_map(anomaly_map, "top-1%") == pytest.approx(
        np.sort(anomaly_map.ravel())[-20:].mean()
    )
    assert score_map(anomaly_map, "max") == anomaly_map.max()


@pytest.mark.parametrize("lowest", [0.0, -9.0])
def test_means_of_windows_lie_inside_the_map(lowest: float) -> None:
    anomaly_map = (np.random.default_rng(4).random((20, 18)) + lowest).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(anomaly_map, (16, 16))
    assert score_map(anomaly_map, "pooled-max") == pytest.approx(windows.mean((2, 3)).max())
    small = anomaly_map[:5, :7]  # smaller than a window: its mean
    assert score_map(small, "pooled-max") == pytest.approx(small.mean())


def test_the_highest_hundredth_is_a_pixel_at_least() -> None:
    for shape in ((3, 4), (10, 10), (10, 19)):
        anomaly_map = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        assert score_map(anomaly_map, "top-1%") == anomaly_map.max()
    assert score_map(np.arange(200, dtype=np.float32)[None], "top-1%") == 198.5


def test_a_line_of_pixels_is_enlarged_as_it_is() -> None:
    line = np.array([[1.0, 2.0, 4.0]], np.float32)
    assert resize_map(line, (3, 3)).tolist() == [[1.0, 2.0, 4.0]] * 3
    assert resize_map(line.T, (3, 2)).tolist() == [[1.0] * 2, [2.0] * 2, [4.0] * 2]


@pytest.mark.parametrize(("side", "crop", "start"), [(8, 4, 2), (9, 4, 2), (8, 2, 3), (4, 4, 0)])
def test_the_crop_is_in_the_middle(side: int, crop: int, start: int) -> None:
    inside = slice(start, start + crop)
    anomaly_map = np.arange(side * side, dtype=np.float32).reshape(side, side)
    profile = with_fields(enlarged=side, crop=crop)
    assert profile_map(anomaly_map, profile).tolist() == anomaly_map[inside, inside].tolist()
    mask = anomaly_map % 3 == 0
    assert profile_mask(mask, profile, mask.shape).tolist() == mask[inside, inside].tolist()


def test_half_a_pixel_is_a_defect_where_masks_are_cut_at_a_half() -> None:
    profile = with_fields(size=1, mask_filter="bilinear")
    assert profile_mask(np.array([[True, False]]), profile, (1, 1)).tolist() == [[True]]
    assert profile_mask(np.array([[True, False, False]]), profile, (1, 1)).tolist() == [[False]]


def test_the_crop_takes_the_border_from_map_and_mask_alike() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[:2] = True  # lies in what is cut away
    mask[30:34, 30:34] = True
    anomaly_map = mask.astype(np.float32)
    profile = with_fields(enlarged=64, crop=56, size=28, mask_filter="bilinear", mask_threshold=0.0)
    found = profile_mask(mask, profile, (64, 64))
    assert found.shape == profile_map(anomaly_map, profile).shape == (28, 28)
    assert found.sum() == 4
    assert profile_map(anomaly_map, profile)[0].max() == 0


def test_thresholds_of_masks_decide_thin_defects() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[:, 33] = True  # one column of four that share a pixel
    counts = {
        threshold: profile_mask(
            mask, with_fields(size=16, mask_filter="bilinear", mask_threshold=threshold), (1, 1)
        ).sum()
        for threshold in (0.0, 0.5)
    }
    assert counts[0.0] > counts[0.5] == 0


def six_images(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Maps and masks `(6, 20, 20)`, every second image defective."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((6, 20, 20), np.bool_)
    masks[1::2, 3:9, 4:8] = masks[1::2, 14:16, 12:18] = True
    return (rng.normal(size=masks.shape) + 1.5 * masks).astype(np.float32), masks


def measured(profile: Profile, maps: np.ndarray, masks: np.ndarray) -> ProductMetrics:
    metrics = StreamingMetrics(profile)
    for anomaly_map, mask in zip(maps, masks, strict=True):
        score, label = float(anomaly_map.max()), int(mask.any())
        metrics.update("nut", score=score, label=label, anomaly_map=anomaly_map, mask=mask)
    return metrics.result().products["nut"]


@pytest.mark.parametrize(("scale", "steps"), [("last", 200), ("span", 100)])
def test_aupro_at_thresholds_follows_its_definition(scale: str, steps: int) -> None:
    maps, masks = six_images()
    structure = np.zeros((3, 3, 3))
    structure[1] = 1  # 8 neighbours within a map, none between maps
    labels, count = ndimage.label(masks, structure=structure)
    rates, overlaps = [], []
    for threshold in np.linspace(maps.min(), maps.max(), steps, endpoint=False):
        alarm = maps > threshold
        rates.append((alarm & ~masks).sum() / (~masks).sum())
        overlaps.append(np.mean([alarm[labels == region].mean() for region in range(1, count + 1)]))
    rate, overlap = np.array(rates), np.array(overlaps)
    rate, overlap = rate[rate < 0.3], overlap[np.array(rates) < 0.3]
    start = rate.min() if scale == "span" else 0.0
    expected = metrics.auc(rate, overlap) / (rate.max() - start)
    row = measured(with_fields(aupro_thresholds=steps, aupro_scale=scale), maps, masks)
    assert row.values["aupro"] == pytest.approx(expected, abs=1e-9)


def test_f1_at_thresholds_is_at_most_the_best() -> None:
    maps, masks = six_images()
    scaled = (maps - maps.min()) / (maps.max() - maps.min())
    by_hand = [metrics.f1_score(masks.ravel(), (scaled > t).ravel()) for t in np.linspace(0, 1, 21)]
    coarse = measured(with_fields(f1_thresholds=21), maps, masks).values["p_f1max"]
    fine = measured(PLAIN, maps, masks).values["p_f1max"]
    assert coarse == pytest.approx(max(by_hand), abs=1e-3)
    assert coarse is not None
    assert fine is not None
    assert coarse < fine


@pytest.mark.parametrize(
    ("scores", "plain", "mirrored"),
    [([1, 1, 0, 0], 0.0, 1.0), ([1, 3, 2, 0], 0.25, 0.75), ([0, 2, 1, 3], 0.75, 0.75)],
)
def test_a_mirrored_auroc_is_never_below_a_half(
    scores: list[float], plain: float, mirrored: float
) -> None:
    areas = []
    for profile in (PLAIN, with_fields(auroc_mirrored=True)):
        streaming = StreamingMetrics(profile)
        for score, label in zip(scores, (0, 0, 1, 1), strict=True):
            streaming.update("nut", score=score, label=label)
        row = streaming.result().products["nut"]
        areas.append(row.values["i_auroc"])
        assert row.undefined["aupro"] == "no anomaly maps"
    assert areas == [plain, mirrored]


@pytest.mark.filterwarnings("ignore:The backbone .* has random weights")
def test_one_pass_and_mintad_is_what_a_plain_evaluation_says(run: Path, tree: Path) -> None:
    pytest.importorskip("torch")
    import mintad

    compared = mintad.evaluate(run, tree, protocols=["all"])
    plain = mintad.evaluate(run, tree)
    assert list(compared.tables) == list_profiles()
    content, expected = compared.to_json(), plain.to_json()
    protocols = content.pop("protocols")
    assert content == expected
    assert list(protocols) == list_profiles()[1:]
    assert protocols["dinomaly"]["protocol"]["crop"] == 392
    assert protocols["dinomaly"]["macro"]["p_ap"] != content["macro"]["p_ap"]


@pytest.mark.filterwarnings("ignore:The backbone .* has random weights")
def test_the_command_compares_and_writes(
    run: Path, tree: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    file = tmp_path / "numbers.json"
    status, out, _ = command("evaluate", run, tree, "--protocol", "uniad", "--json", file)
    assert status == 0
    assert "| mintad |" in out
    assert "| uniad |" in out
    assert "| ader |" not in out
    assert file.is_file()
    status, _, err = command("evaluate", run, tree, "--protocol", "nonsense")
    assert status == 2
    assert "nonsense" in err
