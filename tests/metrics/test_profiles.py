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
from mintad.metrics.geometry import prepare_map, prepare_mask, resize_map, score_map, smooth
from mintad.metrics.profile_counting import Gathered
from mintad.metrics.profile_measuring import evaluate_protocols
from mintad.metrics.profiles import Profile, find_profiles, list_profiles

PLAIN = Profile(name="plain", note="", sources=())


def with_fields(**fields: Any) -> Profile:
    return PLAIN.model_copy(update=fields)


def test_every_profile_names_its_sources() -> None:
    assert list_profiles() == ["mintad", "uniad", "ader", "dinomaly"]
    for profile in find_profiles(["all"]):
        assert profile.sources
        assert profile.note


def test_the_reference_always_comes_first() -> None:
    assert [one.name for one in find_profiles(["dinomaly", "mintad"])] == ["mintad", "dinomaly"]
    with pytest.raises(ConfigError, match="no protocol named 'other'"):
        find_profiles(["other"])


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


def test_the_crop_takes_the_border_from_map_and_mask_alike() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[:2] = True  # lies in what is cut away
    mask[30:34, 30:34] = True
    anomaly_map = mask.astype(np.float32)
    profile = with_fields(enlarged=64, crop=56, size=28, mask_filter="bilinear", mask_threshold=0.0)
    found = prepare_mask(mask, profile, (64, 64))
    assert found.shape == prepare_map(anomaly_map, profile).shape == (28, 28)
    assert found.sum() == 4
    assert prepare_map(anomaly_map, profile)[0].max() == 0


def test_thresholds_of_masks_decide_thin_defects() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[:, 33] = True  # one column of four that share a pixel
    counts = {
        threshold: prepare_mask(
            mask, with_fields(size=16, mask_filter="bilinear", mask_threshold=threshold), (1, 1)
        ).sum()
        for threshold in (0.0, 0.5)
    }
    assert counts[0.0] > counts[0.5] == 0


def gathered(seed: int = 0) -> tuple[Gathered, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    state = Gathered()
    maps, masks = [], []
    for number in range(6):
        mask = np.zeros((20, 20), np.bool_)
        if number % 2:
            mask[3:9, 4:8] = mask[14:16, 12:18] = True
        anomaly_map = (rng.normal(size=mask.shape) + 1.5 * mask).astype(np.float32)
        state.add(float(anomaly_map.max()), number % 2, anomaly_map, mask)
        maps.append(anomaly_map)
        masks.append(mask)
    return state, np.stack(maps), np.stack(masks)


@pytest.mark.parametrize(("scale", "steps"), [("last", 200), ("span", 100)])
def test_aupro_at_thresholds_follows_its_definition(scale: str, steps: int) -> None:
    state, maps, masks = gathered()
    structure = np.zeros((3, 3, 3))
    structure[1] = 1  # 8 neighbours within a map, none between maps
    labels, count = ndimage.label(masks, structure=structure)
    rates, overlaps = [], []
    for threshold in np.linspace(maps.min(), maps.max(), steps, endpoint=False):
        alarm = maps > threshold
        rates.append((alarm & ~masks).sum() / (~masks).sum())
        overlaps.append(np.mean([alarm[labels == one].mean() for one in range(1, count + 1)]))
    rate, overlap = np.array(rates), np.array(overlaps)
    rate, overlap = rate[rate < 0.3], overlap[np.array(rates) < 0.3]
    start = rate.min() if scale == "span" else 0.0
    expected = metrics.auc(rate, overlap) / (rate.max() - start)
    row = state.row(with_fields(aupro_thresholds=steps, aupro_scale=scale))
    assert row.values["aupro"] == pytest.approx(expected, abs=1e-9)


def test_f1_at_thresholds_is_at_most_the_best() -> None:
    state, maps, masks = gathered()
    scaled = (maps - maps.min()) / (maps.max() - maps.min())
    found = [metrics.f1_score(masks.ravel(), (scaled > t).ravel()) for t in np.linspace(0, 1, 21)]
    coarse = state.row(with_fields(f1_thresholds=21)).values["p_f1max"]
    fine = state.row(PLAIN).values["p_f1max"]
    assert coarse == pytest.approx(max(found), abs=1e-3)
    assert coarse is not None
    assert fine is not None
    assert coarse < fine


def test_a_mirrored_auroc_is_never_below_a_half() -> None:
    state = Gathered()
    for number in range(4):
        state.add(-float(number % 2), number % 2, np.zeros((2, 2), np.float32), None)
    assert state.row(PLAIN).values["i_auroc"] == 0.0
    row = state.row(with_fields(auroc_mirrored=True))
    assert row.values["i_auroc"] == 1.0
    assert row.undefined["aupro"] == "no defective pixels"


@pytest.mark.filterwarnings("ignore:The backbone .* has random weights")
def test_one_pass_and_mintad_is_what_evaluate_says(run: Path, tree: Path) -> None:
    pytest.importorskip("torch")
    import mintad

    found = evaluate_protocols(run, mintad.read(tree))
    plain = mintad.evaluate(run, tree).metrics
    assert list(found.evaluations) == list_profiles()
    reference = found.evaluations["mintad"]
    for part in ("macro", "pooled"):
        mine = reference.macro if part == "macro" else reference.pooled.values
        theirs = plain.macro if part == "macro" else plain.pooled.values
        assert dict(mine) == pytest.approx(dict(theirs), abs=1e-9)
    assert len(found.table().splitlines()) == 2 + 4
    assert "| uniad |" in found.table("pooled")
    assert found.to_json()["dinomaly"]["protocol"]["crop"] == 392


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
