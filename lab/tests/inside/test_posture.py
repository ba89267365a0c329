"""The posture of a bar that was drawn at a known angle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from mintad_lab.inside.posture import long_axis, otsu, posture


def bar(angle: float, length: float = 140, width: int = 22, dark: bool = False) -> np.ndarray:
    """A bar through the middle of a grey picture, turned against the clock by `angle`."""
    image = Image.new("RGB", (256, 256), (120, 120, 120))
    step = np.array([np.cos(angle), -np.sin(angle)]) * length / 2
    ends = [tuple(128 - step), tuple(128 + step)]
    ImageDraw.Draw(image).line(ends, (30, 30, 40) if dark else (220, 210, 60), width)
    return np.asarray(image)


@settings(max_examples=25, deadline=None)
@given(st.floats(-1.5, 1.5), st.booleans())
def test_the_angle_is_that_of_the_bar(angle: float, dark: bool) -> None:
    lying = posture(bar(angle, dark=dark))
    assert lying is not None
    assert np.sin(lying.angle - angle) == pytest.approx(0, abs=0.06)
    assert lying.elongation > 0.9
    assert long_axis(bar(angle, dark=dark)) == lying.angle


def test_a_square_is_not_elongated() -> None:
    lying = posture(bar(0.3, length=100, width=100))
    assert lying is not None
    assert lying.elongation < 0.1
    assert long_axis(bar(0.3, length=100, width=100)) is None


def test_an_empty_picture_has_no_posture() -> None:
    assert posture(np.full((64, 80, 3), 77, np.uint8)) is None


def test_the_shape_of_the_picture_does_not_turn_the_axis() -> None:
    wide = bar(np.pi / 4)[60:196]
    lying = posture(wide)
    assert lying is not None
    assert lying.angle == pytest.approx(np.pi / 4, abs=0.08)


def test_otsu_parts_two_groups() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 900), rng.normal(10, 1, 100)])
    assert 2 < otsu(values) < 8
