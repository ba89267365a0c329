"""The pictures that a user sees, pixel by pixel: which score gives which colour, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mintad.data import Preprocessing
from mintad.inspection import Inspection
from mintad.inspection.heatmap import HEATMAP_RANGE, colourise, fit_map, outline, overlay
from mintad.inspection.paths import inspect_images

GREY = 100

SEEN = {
    # A score, and what it makes of a grey pixel of 100. The colours begin at -1 and end at 4;
    # the opacity is 0.82 times the 1.3th power of the score's share of that way.
    -7.0: (100, 100, 100),
    -1.0: (100, 100, 100),
    0.0: (102, 93, 104),  # a fifth: opacity 0.101 over (122, 32, 138)
    1.5: (141, 91, 93),  # half: opacity 0.333 over (222, 73, 79)
    4.0: (226, 215, 113),  # opacity 0.82 over (254, 240, 116)
    9.0: (226, 215, 113),
}


def written_overlay(
    folder: Path, anomaly_map: np.ndarray, image: np.ndarray, box: tuple[int, int, int, int]
) -> np.ndarray:
    """What `mintad inspect` writes of an image with this map."""
    file = folder / "part.png"
    Image.fromarray(image).save(file)
    inspection = Inspection(
        name=str(file), score=1.0, anomaly_map=anomaly_map, size=image.shape[:2], box=box
    )

    class Inspector:
        preprocessing = Preprocessing()

        def __call__(self, files: list[Path], product: str | None) -> list[Inspection]:
            return [inspection]

    (line,) = inspect_images(Inspector(), [file], out=folder / "out")  # type: ignore[arg-type]
    return np.asarray(Image.open(line["heatmap"]))


def test_every_score_has_its_colour(tmp_path: Path) -> None:
    scores = np.array([list(SEEN)], np.float32)
    image = np.full((1, len(SEEN), 3), GREY, np.uint8)
    drawn = written_overlay(tmp_path, scores, image, (0, 0, *scores.shape))
    assert drawn.tolist() == [[list(colour) for colour in SEEN.values()]]


def test_nine_even_scores_have_the_colours_of_the_bar() -> None:
    scores = np.linspace(-1, 4, 9, dtype=np.float32)[None]
    assert colourise(scores, *HEATMAP_RANGE).tolist() == [
        [
            *([42, 22, 104], [92, 28, 138], [142, 34, 138], [188, 46, 114], [222, 73, 79]),
            *([242, 110, 46], [250, 154, 32], [253, 198, 52], [254, 240, 116]),
        ]
    ]


def test_only_the_picture_of_a_padded_map_is_drawn(tmp_path: Path) -> None:
    scores = np.array([[-1.0, 0.0, 1.5, 4.0], [4.0, 1.5, 0.0, -1.0]], np.float32)
    padded = np.full((4, 4), 9.0, np.float32)
    padded[1:3] = scores
    drawn = written_overlay(tmp_path, padded, np.full((2, 4, 3), GREY, np.uint8), (1, 0, 2, 4))
    assert drawn.tolist() == [[list(SEEN[score]) for score in row] for row in scores.tolist()]


def test_a_small_map_is_laid_over_a_larger_image_pixel_by_pixel() -> None:
    # Three pixels for one: from centre to centre the map is linear, beyond them it is constant.
    image = np.empty((3, 6, 3), np.uint8)
    image[...] = low = (30, 60, 90)
    drawn = overlay(image, np.array([[-1.0, 4.0]], np.float32), *HEATMAP_RANGE)
    third = (58, 56, 96)  # of the way: opacity 0.197 over (173, 42, 122)
    two_thirds = (134, 91, 66)  # opacity 0.484 over (245, 125, 41)
    high = (214, 208, 111)
    assert (
        drawn.tolist() == [[list(pixel) for pixel in (low, low, third, two_thirds, high, high)]] * 3
    )


def test_the_outline_is_one_pixel_with_a_halo_around_it() -> None:
    image = np.full((7, 8, 3), GREY, np.uint8)
    mask = np.zeros((7, 8), bool)
    mask[3, 3] = True
    drawn = outline(image, mask)
    line, halo, plain = [0, 229, 195], [10, 22, 28], [GREY] * 3
    ring = np.maximum(*np.abs(np.mgrid[:7, :8] - 3))  # steps from the masked pixel
    by_ring = [plain, line, halo, plain, plain]
    assert drawn.tolist() == [[by_ring[steps] for steps in row] for row in ring.tolist()]


def test_the_outline_runs_inside_a_region_at_the_border() -> None:
    image = np.full((5, 6, 3), GREY, np.uint8)
    mask = np.zeros((5, 6), bool)
    mask[:, :3] = True
    drawn = outline(image, mask)
    line, halo, plain = [0, 229, 195], [10, 22, 28], [GREY] * 3
    edge = [line, line, line, line, halo, plain]
    inside = [line, plain, plain, line, halo, plain]
    assert drawn.tolist() == [edge, inside, inside, inside, edge]


@pytest.mark.parametrize(("side", "thickness"), [(100, 1), (239, 1), (240, 2), (800, 5)])
def test_the_outline_of_a_large_image_is_thicker(side: int, thickness: int) -> None:
    mask = np.zeros((40, side), bool)
    mask[15:25, 15:25] = True
    drawn = outline(np.full((40, side, 3), GREY, np.uint8), mask)
    row = (drawn[20] == (0, 229, 195)).all(axis=-1)
    assert np.flatnonzero(row).tolist() == [
        *range(15 - thickness, 15),
        *range(25, 25 + thickness),
    ]


def test_a_box_between_pixels_takes_its_share_of_them() -> None:
    scores = np.array([[0.0, 1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_allclose(fit_map(scores, 1, 2, (0, 0.5, 1, 2)), [[0.5, 1.5]], atol=1e-6)
