"""Tables and plots of studies, computed from results."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("torch")

from mintad.metrics.streaming import METRICS
from mintad_lab.drawing.dot_plot import Mark, dot_plot
from mintad_lab.studies.setting import Row, Setting, spread_of
from mintad_lab.studies.table import write_table

PAPER = "Table 4: MVTec AD, 15 products"


def result(seed: int, auroc: float | None, accuracy: float | None, given: bool = False) -> Any:
    metrics: dict[str, float | None] = dict.fromkeys(METRICS, 0.5)
    return {
        "name": "a",
        "seed": seed,
        "seconds": 10.0 + seed,
        "training_images": 20,
        "git": "abc",
        "versions": {"mintad": "1", "torch": "2"},
        "recipe": {"name": "r", "training": {"epochs": 3}, "backbone": {"name": "b"}},
        "evaluation": {
            "products": {"p": {}, "q": {}},
            "macro": metrics | {"i_auroc": auroc},
            "pooled": metrics | {"i_auroc": 0.25},
            "config": {
                "product_given": given,
                "product_accuracy": accuracy,
                "evaluation_size": [64, 64],
                "images": 8,
            },
        },
    }


@pytest.fixture
def rows() -> list[Row]:
    return [
        Row(
            Setting("recognising", published={"i_auroc": 0.986, "p_ap": 0.498}),
            (result(0, 0.9, 1.0), result(1, 0.94, 0.5)),
        ),
        Row(Setting("given", published={"i_auroc": 0.979}), (result(0, 0.8, None, given=True),)),
        Row(Setting("raw"), (result(0, None, None),)),
        Row(Setting("missing", published={"i_auroc": 0.97}), (), "There are no weights. Get some."),
    ]


def test_the_table_holds_mean_deviation_and_the_papers_figures(
    rows: list[Row], tmp_path: Path
) -> None:
    text = write_table(rows, tmp_path, "t", title="Why?", paper=PAPER).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    heads, first, given, raw, missing = cells[0], *cells[2:]
    assert f"image AUROC in the paper ({PAPER})" in heads
    found = dict(zip(heads, first, strict=True))
    assert found["seeds"] == "0, 1"
    assert found["image AUROC, macro"] == "0.920 ± 0.028"
    assert found["image AUROC, pooled"] == "0.250 ± 0.000"
    assert found["product accuracy"] == "0.750 ± 0.354"
    assert found["training, s"] == "10 ± 1" or found["training, s"] == "11 ± 1"
    assert found["product at test time"] == "recognised"
    assert first[-2:] == ["0.986", "0.498"]
    found = dict(zip(heads, given, strict=True))
    assert found["image AUROC, macro"] == "0.800"
    assert found["product at test time"] == "given"
    assert found["product accuracy"] == "–"
    assert given[-2:] == ["0.979", "–"]
    found = dict(zip(heads, raw, strict=True))
    assert found["image AUROC, macro"] == "–"
    assert found["product at test time"] == "none: raw scores"
    assert missing[0] == "missing"
    assert set(missing[1:-2]) == {"–"}
    assert "missing was not run. There are no weights. Get some." in text
    assert "Recipe r, 3 epochs" in text
    assert "**" not in text


def test_csv_and_json_hold_every_number(rows: list[Row], tmp_path: Path) -> None:
    write_table(rows, tmp_path, "t", paper=PAPER)
    with (tmp_path / "t.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert float(lines[0]["i_auroc"]) == pytest.approx(0.92)
    assert float(lines[0]["i_auroc_deviation"]) == pytest.approx(0.028284, abs=1e-5)
    assert lines[1]["i_auroc_deviation"] == ""
    assert lines[3]["not_run"].startswith("There are no weights")
    content = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    assert content["rows"][0]["results"] == list(rows[0].results)
    assert content["paper"] == PAPER


def test_the_plot_has_every_mark_and_both_themes(rows: list[Row], tmp_path: Path) -> None:
    write_table(rows, tmp_path, "t", paper=PAPER)
    text = (tmp_path / "t.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert "prefers-color-scheme:dark" in text
    macro, pooled = 2, 3  # rows that have them; each kind is in the legend once, too
    assert text.count("<circle") == macro + pooled + 2
    assert text.count("<path") == 3 + 1
    assert "recognising: image AUROC 0.920 ± 0.028." in text


def test_a_plot_without_printed_figures_does_not_speak_of_a_paper(tmp_path: Path) -> None:
    write_table([Row(Setting("a"), (result(0, 0.9, 1.0),))], tmp_path, "t")
    text = (tmp_path / "t.svg").read_text(encoding="utf-8")
    assert "<path" not in text
    assert "paper" not in text


def test_a_plot_without_results_is_a_plot(tmp_path: Path) -> None:
    ElementTree.fromstring(dot_plot([], ("a",), "t", "x", "d"))
    ElementTree.fromstring(dot_plot([], ("a",), "t", "x", "d", logarithmic=True))
    one = [("a", [Mark(0.5, 0.0, 0)])]
    ElementTree.fromstring(dot_plot(one, ("a",), "t", "x", "d", logarithmic=True))


def test_marks_stand_in_the_order_of_their_values() -> None:
    lines = [("a", [Mark(value, 0.0, 0) for value in (0.001, 0.1, 3.0)])]
    for logarithmic in (False, True):
        text = dot_plot(lines, (), "t", "x", "d", logarithmic=logarithmic)
        circles = ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}circle")
        places = [float(circle.attrib["cx"]) for circle in circles]
        assert places == sorted(places)
        assert len(set(places)) == 3


def test_a_spread_is_undefined_where_any_seed_is() -> None:
    assert spread_of([]) is None
    assert spread_of([0.5, None]) is None
    alone = spread_of([0.5])
    assert alone is not None
    assert alone.text() == "0.500"
