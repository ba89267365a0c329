"""Figures of panels: level lines against circles, and well-formed SVG."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mintad_lab.drawing.canvas import (
    Bar,
    Key,
    Panel,
    dots,
    figure,
    level_line,
    pixels,
    strokes,
    words,
)


def test_the_level_line_of_a_cone_is_a_circle() -> None:
    y, x = (np.mgrid[0:80, 0:80] + 0.5) / 80 - 0.5
    segments = level_line(np.hypot(x, y), 0.3)
    np.testing.assert_allclose(np.hypot(*(segments - 0.5).reshape(-1, 2).T), 0.3, atol=1e-3)
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum()
    assert length == pytest.approx(2 * np.pi * 0.3, rel=0.01)


def test_a_level_that_is_not_crossed_has_no_line() -> None:
    assert level_line(np.ones((4, 4)), 2.0).shape == (0, 2, 2)
    assert strokes(np.empty((0, 2, 2)), "#000") == ""
    assert dots(np.empty((0, 2)), "#000") == ""


def test_a_saddle_has_two_lines() -> None:
    assert len(level_line(np.array([[1.0, 0.0], [0.0, 1.0]]), 0.5)) == 2


def test_pixels_keep_their_colours() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)
    data = re.search(r"base64,([^\"]+)", pixels(colours))
    assert data is not None
    image = Image.open(io.BytesIO(base64.b64decode(data[1]))).convert("RGB")
    np.testing.assert_array_equal(np.asarray(image), colours)


def test_a_figure_is_well_formed_and_holds_everything() -> None:
    body = dots(np.array([[0.5, 0.25]]), "#123456") + words([(0.5, 0.5, "#000", "a < b")])
    panels = [[Panel("One & two", "note", body)] * 2, [Panel("three", "", "")]]
    svg = figure(
        panels, title="T", description="D", keys=[Key("#fff", "white")], bar=Bar("error", "0", "1")
    )
    root = ElementTree.fromstring(svg)
    text = "".join(root.itertext())
    for part in ("One & two", "three", "a < b", "white", "error", "T", "D"):
        assert part in text
    assert "M500 250h0" in svg
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert root.attrib["viewBox"] == f"0 0 {width:g} {height:g}"
