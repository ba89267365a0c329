"""The posture of a bar that was drawn at a known angle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from mintad_lab.inside.posture import long_axis, otsu


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
    lying = long_axis(bar(angle, dark=dark))
    assert lying is not None
    assert np.sin(lying - angle) == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize(("width", "elongated"), [(60, True), (80, False), (100, False)])
def test_an_axis_is_long_from_half_the_elongation_on(width: int, elongated: bool) -> None:
    """A bar of 100 by `width` has an elongation of 1 - (width / 100)^2."""
    assert (long_axis(bar(0.3, length=100, width=width)) is not None) == elongated


def test_an_empty_picture_has_no_long_axis() -> None:
    assert long_axis(np.full((64, 80, 3), 77, np.uint8)) is None


def test_the_shape_of_the_picture_does_not_turn_the_axis() -> None:
    assert long_axis(bar(np.pi / 4)[60:196]) == pytest.approx(np.pi / 4, abs=0.08)


def test_otsu_parts_two_groups() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 900), rng.normal(10, 1, 100)])
    assert 2 < otsu(values) < 8
