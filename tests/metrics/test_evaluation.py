"""A whole evaluation with numbers worked out by hand: inspector, padding, masks, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mintad.bundle import Bundle, Manifest, RawPrediction
from mintad.bundle.manifest import ProductEntry
from mintad.data import Dataset, Preprocessing, Sample, content_box, prepare_mask
from mintad.errors import ConfigError, DataError
from mintad.inspection import Inspector
from mintad.metrics import METRICS, evaluate, evaluate_parts, find_profiles
from mintad.metrics.evaluation import picture_of
from mintad.metrics.geometry import profile_mask

HOT = 255
"""What the padding is filled with: hotter than anything in a picture."""


class Readout:
    """An engine whose maps are the red of the prepared images; the green is the image's score.

    The blue is the number of the product that it recognises, where it recognises any.
    """

    def __init__(self, products: int) -> None:
        self.products = products

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        middle = images[:, images.shape[1] // 2, images.shape[2] // 2].astype(np.float32)  # (B, 3)
        maps, scores = images[..., 0].astype(np.float32), middle[:, 1]
        if not self.products:
            return RawPrediction(maps, scores)
        logits = np.eye(self.products, dtype=np.float32)[middle[:, 2].astype(int)]
        return RawPrediction(maps, scores, logits)


def make_inspector(
    *products: str, side: int = 8, recognises: bool = True, seed: int = 0
) -> Inspector:
    """An inspector of padded images, whose products' scales all have centre 10 and spread 5."""
    manifest = Manifest.model_construct(
        mintad="1",
        created="today",
        products=tuple(
            ProductEntry(name=name, train_images=1, centre=10, spread=5) for name in products
        ),
        preprocessing=Preprocessing(
            height=side, width=side, resize="pad", mean=(HOT, HOT, HOT), std=(1, 1, 1)
        ),
        backbone=SimpleNamespace(config=SimpleNamespace(name="eye")),
        model=SimpleNamespace(name="readout", needs_product=False),
        recipe={"name": "own", "seed": seed},
        graphs=(),
    )
    engine = Readout(len(products) if recognises else 0)
    with patch("mintad.inspection.inspector.open_engine", lambda *_, **__: engine):
        return Inspector(Bundle(Path("nowhere"), manifest))


Pixels = dict[tuple[int, int], int]
"""Row, column and value of the pixels that are not 10."""


def write_sample(
    folder: Path,
    *,
    score: int,
    pixels: Pixels | None = None,
    defect: Sequence[tuple[int, int]] = (),
    product: str = "nut",
    number: int = 0,
    upright: bool = False,
) -> Sample:
    """A picture of 4 x 8 pixels, or upright 8 x 4, and its mask where it has a defect."""
    red = np.full((4, 8), 10, np.uint8)
    for (row, column), value in (pixels or {}).items():
        red[row, column] = value
    mask = np.zeros((4, 8), np.uint8)
    for row, column in defect:
        mask[row, column] = 255
    if upright:
        red, mask = red.T, mask.T
    image = np.stack([red, np.full_like(red, score), np.full_like(red, number)], axis=-1)
    name = f"{product}-{score}"
    Image.fromarray(image).save(folder / f"{name}.png")
    if defect:
        Image.fromarray(mask).save(folder / f"{name}-mask.png")
    return Sample(
        product=product,
        image=folder / f"{name}.png",
        split="test",
        label=int(bool(defect)),
        defect_type="scratch" if defect else "good",
        mask=folder / f"{name}-mask.png" if defect else None,
    )


def three_pictures(folder: Path, upright: bool = False) -> list[Sample]:
    """Ranked, the pixels are 90 d, 60, 50 d, 30, 20 d, and 91 good ones of 10; d is defective.

    90 and 20 are one defect, 50 another. The defective picture scores 70, the good ones 40 and 80.
    """
    return [
        write_sample(folder, score=40, pixels={(0, 0): 60}, upright=upright),
        write_sample(folder, score=80, upright=upright),
        write_sample(
            folder,
            score=70,
            pixels={(3, 6): 90, (2, 7): 20, (0, 1): 50, (1, 4): 30},
            defect=[(3, 6), (2, 7), (0, 1)],
            upright=upright,
        ),
    ]


BY_HAND = {
    "i_auroc": 1 / 2,  # 70 beats 40, and loses to 80
    "i_ap": 1 / 2,
    "i_f1max": 2 / 3,
    "p_auroc": (93 + 92 + 91) / (3 * 93),
    "p_ap": (1 / 1 + 2 / 3 + 3 / 5) / 3,
    "p_f1max": 2 * 3 / (3 + 5),
    # The overlap is 1/4 up to the first false pixel, 3/4 up to the second, then 1.
    "aupro": (1 / 93 * 1 / 4 + 1 / 93 * 3 / 4 + (0.3 - 2 / 93)) / 0.3,
}


@pytest.mark.parametrize("upright", [False, True])
def test_padded_pictures_are_measured_as_if_there_were_no_padding(
    tmp_path: Path, upright: bool
) -> None:
    evaluation = evaluate(make_inspector("nut"), Dataset(tuple(three_pictures(tmp_path, upright))))
    row = evaluation.metrics.products["nut"]
    assert dict(row.values) == pytest.approx(BY_HAND, abs=1e-12)
    assert evaluation.metrics.pooled == row
    assert (row.n_good, row.n_defect, row.undefined) == (2, 1, {})
    scores, labels = evaluation.metrics.scores["nut"]
    assert scores.tolist() == [(40 - 10) / 5, (80 - 10) / 5, (70 - 10) / 5]
    assert labels.tolist() == [0, 0, 1]
    assert [inspection.anomaly_map for inspection in evaluation.inspections] == [None] * 3
    assert [inspection.box for inspection in evaluation.inspections] == [
        (0, 2, 8, 4) if upright else (2, 0, 4, 8)
    ] * 3


def test_what_was_measured_stands_beside_the_numbers(tmp_path: Path) -> None:
    samples = [
        *three_pictures(tmp_path),
        write_sample(tmp_path, score=41, product="bolt", number=1),
        write_sample(tmp_path, score=42, product="bolt", number=0),  # taken for a nut
    ]
    dataset = Dataset(tuple(samples))
    content = evaluate(make_inspector("nut", "bolt", seed=3), dataset).to_json()
    assert list(content) == ["products", "macro", "pooled", "config"]
    assert content["config"] == {
        "bundles": 1,
        "bundle_created": "today",
        "model": "readout",
        "recipe": "own",
        "seed": 3,
        "backbone": "eye",
        "evaluation_size": [8, 8],
        "resize": "pad",
        "product_given": False,
        "product_accuracy": 0.8,
        "scores": "calibrated per product on good training images",
        "mask_binarised_at": 0.5,
        "aupro_fpr_limit": 0.3,
        "images": 5,
        "mintad": "1",
    }
    given = evaluate(make_inspector("nut", "bolt"), dataset, give_product=True).config
    assert (given.product_given, given.product_accuracy) == (True, 1.0)
    raw = evaluate(make_inspector("nut", "bolt", recognises=False), dataset)
    assert raw.config.product_accuracy is None
    assert raw.config.scores.startswith("raw")
    assert raw.metrics.scores["bolt"][0].tolist() == [41, 42]
    assert "bolt-41" not in repr(raw)


def test_a_bundle_for_each_product_is_one_evaluation(tmp_path: Path) -> None:
    nuts = three_pictures(tmp_path)
    bolts = [
        write_sample(tmp_path, score=50, product="bolt"),
        write_sample(tmp_path, score=60, product="bolt", defect=[(1, 1)], pixels={(1, 1): 40}),
    ]
    counted: list[tuple[str, int, int]] = []
    evaluation = evaluate_parts(
        (
            (make_inspector(product, seed=seed), Dataset(tuple(samples)))
            for product, samples, seed in (("nut", nuts, 1), ("bolt", bolts, 2))
        ),
        give_product=True,
        progress=lambda *count: counted.append(count),
    )
    together = evaluate(make_inspector("nut", "bolt"), Dataset((*nuts, *bolts)), give_product=True)
    assert evaluation.metrics.to_json() == together.metrics.to_json()
    assert [sample.product for sample in evaluation.samples] == ["nut"] * 3 + ["bolt"] * 2
    config = evaluation.config
    assert (config.bundles, config.images, config.evaluation_size) == (2, 5, (8, 8))
    assert (config.model, config.seed) == ("readout", None)  # two seeds are none
    assert (config.product_given, config.product_accuracy) == (True, None)
    assert counted == [("images", i, 3) for i in (1, 2, 3)] + [("images", i, 2) for i in (1, 2)]


def test_parts_recognise_their_products_and_know_them_unless_told_otherwise(tmp_path: Path) -> None:
    nuts = three_pictures(tmp_path)
    bolt = write_sample(tmp_path, score=50, product="bolt", number=0)  # taken for a nut
    parts = [(make_inspector("nut", "bolt"), Dataset((*nuts, bolt)))]
    assert evaluate_parts(parts).inspections[3].product == "nut"
    assert evaluate_parts(parts, give_product=True).inspections[3].product == "bolt"
    with pytest.raises(DataError, match="bolt"):
        evaluate_parts([(make_inspector("nut"), Dataset((bolt,)))])


def test_bundles_of_two_sizes_are_not_measured_together(tmp_path: Path) -> None:
    dataset = Dataset(tuple(three_pictures(tmp_path)))
    parts = [(make_inspector("nut", side=side), dataset) for side in (8, 16)]
    with pytest.raises(ConfigError, match="different sizes"):
        evaluate_parts(parts)
    with pytest.raises(ValueError, match="no parts"):
        evaluate_parts([])


def test_a_product_that_no_bundle_knows_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    sample = write_sample(tmp_path, score=40, product="washer")
    dataset = Dataset((*three_pictures(tmp_path), sample))
    with pytest.raises(DataError, match="does not know the products washer"):
        evaluate(make_inspector("nut"), dataset)
    allowed = evaluate(make_inspector("nut"), dataset, allow_unknown=True)
    assert list(allowed.metrics.products) == ["nut", "washer"]
    assert allowed.config.product_accuracy is None  # it cannot be right


def test_only_labelled_test_images_are_measured(tmp_path: Path) -> None:
    samples = three_pictures(tmp_path)
    training = replace(samples[0], split="train")
    unlabelled = replace(samples[1], label=None)
    dataset = Dataset((*samples, training, unlabelled))
    assert len(evaluate(make_inspector("nut"), dataset).samples) == 3
    with pytest.raises(DataError, match="no labelled test images"):
        evaluate(make_inspector("nut"), Dataset((training, unlabelled)))


def test_an_image_that_cannot_be_read_and_a_mask_of_another_size_are_errors(tmp_path: Path) -> None:
    samples = three_pictures(tmp_path)
    Image.new("L", (8, 5), 255).save(samples[2].mask)
    with pytest.raises(DataError, match=r"8x5 pixels, its image .*nut-70\.png has 8x4"):
        evaluate(make_inspector("nut"), Dataset(tuple(samples)))
    samples[0].image.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"nut-40\.png") as raised:
        evaluate(make_inspector("nut"), Dataset(tuple(samples)))
    assert "mintad validate" in raised.value.mend


def test_every_protocol_measures_the_picture_alone(tmp_path: Path) -> None:
    samples = three_pictures(tmp_path)
    profile = find_profiles([])[0].model_copy(
        update={"name": "own", "size": 16, "image_score": "max", "aupro_limit": 1.0}
    )
    evaluation = evaluate(make_inspector("nut"), Dataset(tuple(samples)), protocols=[profile])
    assert list(evaluation.tables) == ["mintad", "own"]
    assert dict(evaluation.metrics.products["nut"].values) == pytest.approx(BY_HAND, abs=1e-12)
    scores, _ = evaluation.tables["own"].scores["nut"]
    highest = np.array([60, 10, 90])  # no resizing by whole factors reaches beyond the pixels
    assert (scores <= (highest - 10) / 5).all()
    assert scores.argmax() == 2
    content = evaluation.to_json()
    assert content["protocols"]["own"]["protocol"]["size"] == 16
    assert set(content["protocols"]["own"]["pooled"]) == {*METRICS, "n_good", "n_defect"}


sides = st.integers(1, 40)


@given(sides, sides, sides, sides, st.sampled_from(["pad", "stretch"]), st.randoms())
@settings(deadline=None)
def test_a_mask_is_where_its_picture_is(
    height: int, width: int, rows: int, columns: int, resize: str, random: object
) -> None:
    preprocessing = Preprocessing(height=rows, width=columns, resize=resize)
    generator = np.random.default_rng(random.randrange(1000))  # type: ignore[attr-defined]
    mask = generator.random((height, width)) < 0.3
    box = content_box(mask.shape, preprocessing)
    (reference,) = find_profiles([])
    np.testing.assert_array_equal(
        profile_mask(mask, reference, box[2:]), picture_of(prepare_mask(mask, preprocessing), box)
    )
