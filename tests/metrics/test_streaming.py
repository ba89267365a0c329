from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics as reference

from mintad.metrics import (
    IMAGE_METRICS,
    METRICS,
    PIXEL_METRICS,
    Metric,
    MetricTable,
    PixelAccumulator,
    ProductMetrics,
    Profile,
    Ranking,
    StreamingMetrics,
    find_profiles,
    headings,
)

SHAPE = (12, 10)


def add_images(
    metrics: StreamingMetrics,
    product: str,
    labels: list[int],
    *,
    masks: bool = True,
    seed: int = 0,
) -> list[tuple[float, int, np.ndarray, np.ndarray | None]]:
    rng = np.random.default_rng(seed)
    images = []
    for label in labels:
        mask = np.zeros(SHAPE, dtype=bool)
        mask[3:6, 2:5] = bool(label)
        anomaly_map = (rng.normal(0, 1, SHAPE) + mask).astype(np.float32)
        given = mask if label and masks else None
        score = float(anomaly_map.max())
        metrics.update(product, score=score, label=label, anomaly_map=anomaly_map, mask=given)
        images.append((score, label, anomaly_map, mask if masks or not label else None))
    return images


def expected_pixels(images: list[tuple[float, int, np.ndarray, np.ndarray | None]]) -> float:
    pairs = [(found, mask) for _, _, found, mask in images if mask is not None]
    scores = np.concatenate([found.ravel() for found, _ in pairs])
    return float(reference.roc_auc_score(np.concatenate([m.ravel() for _, m in pairs]), scores))


def test_products_macro_and_pooled() -> None:
    evaluator = StreamingMetrics()
    bottle = add_images(evaluator, "bottle", [0, 0, 1, 1, 0], seed=1)
    apple = add_images(evaluator, "apple", [0, 1, 1], seed=2)
    result = evaluator.result()
    assert list(result.products) == ["apple", "bottle"]
    for name, images in (("apple", apple), ("bottle", bottle)):
        row = result.products[name]
        scores, labels = [image[0] for image in images], [image[1] for image in images]
        assert row.values["i_auroc"] == pytest.approx(reference.roc_auc_score(labels, scores))
        assert row.values["p_auroc"] == pytest.approx(expected_pixels(images))
        assert row.undefined == {}
        assert (row.n_good, row.n_defect) == (labels.count(0), labels.count(1))
        assert result.scores[name][0].tolist() == scores
        assert result.scores[name][1].tolist() == labels
    everything = bottle + apple
    assert result.pooled.values["i_ap"] == pytest.approx(
        reference.average_precision_score([i[1] for i in everything], [i[0] for i in everything])
    )
    assert result.pooled.values["p_auroc"] == pytest.approx(expected_pixels(everything))
    for metric in METRICS:
        values = [row.values[metric] for row in result.products.values()]
        assert result.macro[metric] == pytest.approx(np.mean(values))


def test_what_is_undefined_is_null_and_says_why() -> None:
    evaluator = StreamingMetrics()
    whole = add_images(evaluator, "whole", [0, 1, 0, 1])
    add_images(evaluator, "only good", [0, 0])
    add_images(evaluator, "only defective", [1, 1])
    add_images(evaluator, "no masks", [0, 1, 0], masks=False)
    evaluator.update("no maps", score=0.1, label=0)
    evaluator.update("no maps", score=0.2, label=1)
    anomaly_map = np.ones(SHAPE, dtype=np.float32)
    evaluator.update("empty mask", score=0.1, label=0, anomaly_map=anomaly_map)
    evaluator.update(
        "empty mask", score=1, label=1, anomaly_map=anomaly_map, mask=np.zeros(SHAPE, bool)
    )
    result = evaluator.result()
    reasons = {
        "only good": dict.fromkeys(METRICS, "no defective images"),
        "only defective": dict.fromkeys(IMAGE_METRICS, "no good images"),
        "no masks": dict.fromkeys(PIXEL_METRICS, "no masks"),
        "no maps": dict.fromkeys(PIXEL_METRICS, "no anomaly maps"),
        "empty mask": dict.fromkeys(PIXEL_METRICS, "no defective pixels"),
        "whole": {},
    }
    for name, undefined in reasons.items():
        row = result.products[name]
        assert row.undefined == undefined
        assert {metric for metric in METRICS if row.values[metric] is None} == set(undefined)
    content = result.to_json()
    assert content["macro"]["n_products"] == dict.fromkeys(IMAGE_METRICS, 4) | dict.fromkeys(
        PIXEL_METRICS, 2
    )
    assert content["products"]["no masks"]["undefined"] == reasons["no masks"]
    assert "undefined" not in content["macro"]
    assert "undefined" not in content["products"]["whole"]
    assert content["pooled"]["n_good"] == 2 + 2 + 0 + 2 + 1 + 1
    # Pooled pixels are those of products with masks.
    accumulator = PixelAccumulator()
    for _, _, found, mask in whole:
        accumulator.update(found, mask)
    for _, _, found, mask in add_images(StreamingMetrics(), "only defective", [1, 1]):
        accumulator.update(found, mask)
    flat = np.zeros(SHAPE, dtype=bool)
    accumulator.update(anomaly_map, flat)
    accumulator.update(anomaly_map, flat)
    assert result.pooled.values["aupro"] == pytest.approx(
        METRICS["aupro"].measure(accumulator.ranking(), find_profiles([])[0])
    )


def test_a_defective_image_without_a_mask_is_left_out_of_the_pixels() -> None:
    evaluator, reduced = StreamingMetrics(), StreamingMetrics()
    for either in (evaluator, reduced):
        add_images(either, "cable", [0, 1, 0, 1])
    anomaly_map = np.full(SHAPE, 9.0, dtype=np.float32)
    evaluator.update("cable", score=9.0, label=1, anomaly_map=anomaly_map)
    with_it, without = evaluator.result().products["cable"], reduced.result().products["cable"]
    assert with_it.n_defect == without.n_defect + 1
    for metric in PIXEL_METRICS:
        assert with_it.values[metric] == without.values[metric]


def test_no_images_at_all() -> None:
    result = StreamingMetrics().result()
    assert result.macro == dict.fromkeys(METRICS)
    assert result.to_json()["macro"]["undefined"] == dict.fromkeys(METRICS, "no products")
    assert result.pooled.undefined["i_auroc"] == "no images"
    assert MetricTable.from_json(result.to_json()).products == {}


def test_a_mean_over_nothing_says_why() -> None:
    evaluator = StreamingMetrics()
    add_images(evaluator, "a", [0, 1], masks=False)
    add_images(evaluator, "b", [0, 0])
    add_images(evaluator, "c", [0, 1], masks=False)
    reasons = evaluator.result().to_json()["macro"]["undefined"]
    assert reasons == dict.fromkeys(PIXEL_METRICS, "no masks; no defective images")


def test_a_value_that_is_missing_needs_a_reason() -> None:
    values = dict.fromkeys(METRICS, 0.5) | {"aupro": None}
    assert ProductMetrics(values, {"aupro": "no masks"}, 1, 1).undefined
    with pytest.raises(ValueError, match="aupro"):
        ProductMetrics(values, {}, 1, 1)
    with pytest.raises(ValueError, match="p_ap"):
        ProductMetrics(values, {"aupro": "no masks", "p_ap": "no masks"}, 1, 1)


def test_json_round_trip() -> None:
    evaluator = StreamingMetrics()
    add_images(evaluator, "a", [0, 1])
    add_images(evaluator, "b", [0, 0])
    result = evaluator.result()
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))
    again = MetricTable.from_json(content)
    assert again.products == result.products
    assert again.pooled == result.pooled
    assert again.macro == result.macro
    assert set(content["products"]["a"]) == {*METRICS, "n_good", "n_defect"}
    assert "array" not in repr(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": np.nan, "label": 0}, "nan"),
        ({"score": np.inf, "label": 1}, "inf"),
        ({"score": 1.0, "label": 2}, "label"),
        ({"score": 1.0, "label": 0, "anomaly_map": np.full(SHAPE, np.nan, np.float32)}, "NaN"),
        ({"score": 1.0, "label": 1, "anomaly_map": np.full(SHAPE, np.inf, np.float32)}, "NaN"),
        ({"score": 1.0, "label": 0, "mask": np.ones(SHAPE, bool)}, "good image"),
        (
            {
                "score": 1.0,
                "label": 1,
                "anomaly_map": np.zeros(SHAPE, np.float32),
                "mask": np.ones(SHAPE, np.uint8),
            },
            "mask",
        ),
    ],
)
def test_bad_input_names_the_product_and_adds_nothing(
    arguments: dict[str, object], message: str
) -> None:
    evaluator = StreamingMetrics()
    with pytest.raises(ValueError, match=rf"(?s)'screw'.*{message}"):
        evaluator.update("screw", **arguments)  # type: ignore[arg-type]
    assert evaluator.result().products == {}


def test_a_metric_is_added_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further entry of the registry is in accumulator, file, terminal and page."""
    from mintad.reporting.contents import ReportData
    from mintad.reporting.html import build_report
    from mintad.reporting.terminal import evaluation_text

    def share_of_good(ranking: Ranking, profile: Profile) -> float:
        return float(ranking.negatives.sum() / (ranking.negatives + ranking.positives).sum())

    added = Metric("p_good", "pixel", "Good", "good pixels", 0.0, "Pixels.", share_of_good)
    monkeypatch.setitem(METRICS, added.key, added)  # type: ignore[arg-type]
    evaluator = StreamingMetrics()
    add_images(evaluator, "a", [0, 1])
    add_images(evaluator, "b", [0, 0])
    table = evaluator.result()
    good = 1 - 9 / (2 * 12 * 10)
    assert table.to_json()["macro"]["p_good"] == good
    assert table.products["b"].undefined["p_good"] == "no defective images"
    assert MetricTable.from_json(table.to_json()).macro["p_good"] == good
    assert headings()[-1] == "Good"
    assert f"{good:.3f}" in evaluation_text(table)
    page = build_report(ReportData("", table, {}, {}, []))
    assert "<dt>Good pixels</dt><dd>Pixels.</dd>" in page
    assert page.count(f">{good:.3f}<") == 3  # product, macro, pooled
