from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintad.reporting.plots import bin_edges, roc_plot, score_histogram
from mintad.reporting.svg import nice_ticks

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = 'a"><script>alert(1)</script>&\x00\x1b'


@st.composite
def labelled_scores(draw):
    count = draw(st.integers(1, 40))
    scores = draw(st.lists(st.floats(-1e6, 1e6, width=32), min_size=count, max_size=count))
    labels = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    return np.array(scores, np.float32), np.array(labels)


@pytest.mark.parametrize("plot", [score_histogram, roc_plot])
@given(data=labelled_scores())
@settings(max_examples=60, deadline=None)
def test_plots_are_valid_titled_and_inside_their_frame(plot, data):
    svg = ElementTree.fromstring(plot(HOSTILE, *data, identifier="x"))
    width, height = (float(side) for side in svg.get("viewBox").split()[2:])
    assert svg.tag == f"{SVG}svg"
    assert "<script>" in svg.find(f"{SVG}title").text
    assert svg.find(f"{SVG}desc").text
    assert svg.get("aria-labelledby") == "x-title x-description"
    for rectangle in svg.iter(f"{SVG}rect"):
        x, y = float(rectangle.get("x")), float(rectangle.get("y"))
        assert -0.1 <= x <= x + float(rectangle.get("width")) <= width + 0.1
        assert -0.1 <= y <= y + float(rectangle.get("height")) <= height + 0.1
    assert not list(svg.iter(f"{SVG}script"))


def test_bars_show_the_share_of_their_kind_on_one_scale():
    scores = np.array([0.0] * 10 + [1.0] * 40 + [2.0] * 40, np.float32)
    labels = np.array([0] * 10 + [1] * 80)
    svg = ElementTree.fromstring(score_histogram("nut", scores, labels))
    bars = [bar for bar in svg.iter(f"{SVG}rect") if bar.get("rx") is None]
    good = [float(bar.get("height")) for bar in bars if "good" in bar.get("fill")]
    defective = [float(bar.get("height")) for bar in bars if "defect" in bar.get("fill")]
    assert len(good) == 1
    assert defective == pytest.approx([good[0] / 2] * 2, abs=0.2)


def test_no_scores_at_all_is_still_a_plot():
    empty = np.array([], np.float32), np.array([], np.int64)
    assert "No good images." in score_histogram("nut", *empty)
    assert "Undefined: no good images." in roc_plot("nut", *empty)


@given(labelled_scores())
@settings(deadline=None)
def test_bins_cover_every_score(data):
    scores, labels = data
    edges = bin_edges(scores, labels)
    assert 12 <= len(edges) - 1 <= 40
    assert edges[0] <= scores.min()
    assert scores.max() <= edges[-1]
    assert (np.diff(edges) > 0).all()


def test_the_curve_goes_through_its_points_and_names_its_area():
    scores, labels = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 1, 0, 1])
    svg = roc_plot("nut", scores, labels)
    assert ">0.750<" in svg
    # False alarms to the right, defects found upwards, in a square of 164 at (46, 10).
    corners = [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]
    path = " L".join(f"{46 + 164 * x:.1f} {174 - 164 * y:.1f}" for x, y in corners)
    assert f'd="M{path}"' in svg


@pytest.mark.parametrize(("label", "reason"), [(0, "no defective images"), (1, "no good images")])
def test_a_curve_without_one_kind_says_so(label, reason):
    svg = roc_plot("nut", np.array([1.0, 2.0]), np.full(2, label))
    assert reason in svg
    assert "<path" not in svg


@given(st.floats(-1e5, 1e5), st.floats(1e-2, 1e5))
@settings(deadline=None)
def test_ticks_lie_inside_at_even_steps(low, span):
    ticks = nice_ticks(low, low + span)
    assert 2 <= len(ticks) <= 6
    assert low - 1e-6 * span <= ticks[0]
    assert ticks[-1] <= low + span * (1 + 1e-6)
    steps = np.diff(ticks)
    assert steps == pytest.approx(np.full(len(steps), steps[0]), rel=1e-6)
