"""The pages of a table, made from the folders of finished runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mintad.errors import ConfigError
from mintad.metrics import METRICS
from mintad.system import write_json
from mintad_lab.experiment.book import write_book, write_table
from mintad_lab.experiment.results import read_table, result_folder, spread_of

SOURCE = "Table 4: MVTec AD, 15 products"


def result(
    case: str, row: str, seed: int, i_auroc: float | None = None, **config: Any
) -> dict[str, Any]:
    """A finished run whose images are those of every other one."""
    shift = {"ours": 2.0, "theirs": 0.7}.get(row, 1.0)
    rng = np.random.default_rng(seed)
    scores = {}
    for product in ("nut", "bolt"):
        labels = np.arange(60) % 2
        values = rng.normal(size=60) + shift * labels
        scores[product] = {"scores": values.tolist(), "labels": labels.tolist()}
    areas = [roc_auc_score(x["labels"], x["scores"]) for x in scores.values()]
    values = {**dict.fromkeys(METRICS, 0.5), "i_auroc": i_auroc or float(np.mean(areas))}
    counts = {"n_good": 30, "n_defect": 30}
    return {
        "case": case,
        "row": row,
        "seed": seed,
        "key": "",
        "git": "abc",
        "evaluation": {
            "products": dict.fromkeys(scores, values | counts),
            "macro": values,
            "pooled": {**values, **counts, "i_auroc": 0.25},
            "config": {
                "evaluation_size": [224, 224],
                "product_given": False,
                "product_accuracy": None,
                "scores": "raw: neither given nor recognised",
                "images": 120,
            }
            | config,
        },
        "scores": scores,
        "seconds": 10.0 + seed,
        "inspection_seconds": 2.0,
        "training_images": 40,
        "peak_megabytes": 900.0,
        "model_bytes": 2_000_000,
        "versions": {"mintad": "0", "torch": "2"},
        "machine": {"cores": 2, "processor": "a processor", "threads": "1"},
    }


def row(name: str, description: str = "", **more: Any) -> dict[str, Any]:
    about = {"separate": False, "published": {}, "missing": None}
    return {"name": name, "description": description, **about, **more}


def write_runs(place: Path, results: list[dict[str, Any]], **about: Any) -> Path:
    """A table's folder."""
    content: dict[str, Any] = {
        "name": place.name,
        "question": "Which?",
        "against": "the first row",
        "from_images": True,
        "note": "A note.",
        "source": SOURCE,
        "published": {},
        "cases": ["all images"],
    }
    write_json(place / "table.json", content | about)
    for found in results:
        folder = result_folder(place, found["case"], found["row"], found["seed"])
        write_json(folder / "result.json", found)
    return place


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Rows of every kind, two seeds for the first two."""
    case = "all images"
    rows = [
        row("ours", "the recipe fast", published={"i_auroc": 0.987, "p_ap": 0.498}),
        row("theirs", "2 epochs", published={"i_auroc": 0.979}),
        row("told"),
        row("apart", "never shown", separate=True),
        row("broken"),
        row("weightless", missing="There is no file none.pth."),
        row("later"),
    ]
    recognising = {"scores": "calibrated"}
    results = [
        result(case, "ours", 0, product_accuracy=1.0, **recognising),
        result(case, "ours", 1, product_accuracy=0.5, **recognising),
        result(case, "theirs", 0),
        result(case, "theirs", 1),
        result(case, "told", 0, product_given=True, **recognising),
        result(case, "apart", 0, product_given=True, **recognising),
    ]
    place = write_runs(tmp_path / "line", results, rows=rows)
    broken = {"case": case, "row": "broken", "seed": 0, "key": "", "not_run": "It fell."}
    write_json(result_folder(place, case, "broken", 0) / "result.json", broken)
    return tmp_path


def grid(page: str, number: int) -> dict[str, dict[str, str]]:
    """A table of a page: row and heading to cell; of equal headings the first."""
    blocks = [block for block in page.split("\n\n") if block.startswith("| ")]
    lines = [
        [cell.strip() for cell in line[1:-1].split("|")] for line in blocks[number].split("\n")
    ]
    heads, _, *rows = lines
    return {cells[0]: dict(reversed(list(zip(heads, cells, strict=True)))) for cells in rows}


def test_a_page_says_everything_once(runs: Path) -> None:
    page = write_table(runs / "line").read_text("utf-8")
    assert page.startswith("# Which?\n")
    for text in ("A note.", "on 2 cores of a processor", "40 good training images", SOURCE):
        assert page.count(text) == 1
    assert "- theirs: 2 epochs." in page
    assert "never shown" not in page
    assert "- broken was not run. It fell." in page
    assert "- weightless was not run. There is no file none.pth." in page
    assert "- later was not run. Not run yet." in page
    macro, pooled = grid(page, 0), grid(page, 1)
    assert macro["ours"]["seeds"] == "0, 1"
    assert "±" in macro["ours"]["image AUROC"]
    assert macro["ours"]["image AUROC in the paper"] == "0.987"
    assert macro["ours"]["pixel AP in the paper"] == "0.498"
    assert macro["theirs"]["pixel AP in the paper"] == "–"
    assert macro["ours"]["image AUROC, less the first row"] == "–"
    assert macro["theirs"]["image AUROC, less the first row"].startswith("-0.")
    assert macro["broken"]["seeds"] == "not run"
    assert macro["told"]["image AUROC"].count("±") == 0
    assert pooled["ours"]["image AUROC"] == "0.250 ± 0.000"
    assert pooled["ours"]["products recognised"] == "0.750 ± 0.354"
    assert pooled["theirs"]["products recognised"] == "–"
    assert pooled["ours"]["training, s"] in ("10 ± 1", "11 ± 1")
    assert pooled["ours"]["memory, MB"] == "900 ± 0"
    assert pooled["ours"]["model, MB"] == "2.0"
    told = [line["product at test time"] for line in pooled.values()]
    assert told[:5] == ["recognised", "none: raw scores", "given", "given: a model for each", "–"]


def test_csv_and_json_hold_every_number(runs: Path) -> None:
    write_table(runs / "line")
    with (runs / "line.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    table = read_table(runs / "line")
    first = table.lines[0].spread("macro", "i_auroc")
    assert first is not None
    assert float(lines[0]["macro_i_auroc"]) == first.mean
    assert float(lines[0]["macro_i_auroc_sd"]) == first.deviation
    assert lines[2]["macro_i_auroc_sd"] == lines[2]["paper_i_auroc"] == ""
    assert float(lines[1]["low"]) < float(lines[1]["difference"]) < float(lines[1]["high"]) < 0
    assert lines[4]["not_run"] == "It fell."
    with (runs / "line-products.csv").open(encoding="utf-8") as file:
        products = list(csv.DictReader(file))
    assert len(products) == 6 * 2
    assert (products[0]["product"], products[0]["good"]) == ("nut", "30")
    content = json.loads((runs / "line.json").read_text(encoding="utf-8"))
    assert len(content["results"]) == 6
    assert content["results"][0]["evaluation"] == table.lines[0].results[0]["evaluation"]
    assert "scores" not in content["results"][0]


def test_the_plot_has_every_mark_and_both_themes(runs: Path) -> None:
    write_table(runs / "line")
    text = (runs / "line.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert "prefers-color-scheme:dark" in text
    assert text.count("<circle") == 4 * 2 + 2  # macro and pooled; both are in the legend, too
    assert text.count("<path") == 2 + 1
    assert SOURCE in text
    assert "told: image AUROC 0." in text


def test_a_table_without_printed_figures_does_not_speak_of_a_paper(tmp_path: Path) -> None:
    page = write_table(write_runs(tmp_path / "t", [result("all images", "a", 0)], rows=[row("a")]))
    svg = (tmp_path / "t.svg").read_text(encoding="utf-8")
    assert "<path" not in svg
    assert "paper" not in page.read_text(encoding="utf-8").replace("papers", "") + svg


@pytest.mark.parametrize(
    ("against", "compared"),
    [
        ("the first row", [None, None, "x unified 0", "x unified 1", "x unified 0", "x unified 1"]),
        ("the first case", [None, "x unified 0", None, "x separate 0", None, "y 0"]),
        ("a model for each product", ["x separate 0", "x separate 1", None, None, None, None]),
    ],
)
def test_a_table_says_what_its_differences_are_to(
    tmp_path: Path, against: str, compared: list[str | None]
) -> None:
    names, cases = ("x unified", "x separate", "y"), ("0", "1")
    rows = [row(name, separate=name.endswith("separate")) for name in names]
    results = [result(case, name, 0) for name in names for case in cases]
    for number, found in enumerate(results):  # each its own scores
        for scored in found["scores"].values():
            scored["scores"] = [
                score + number * 0.1 * label
                for score, label in zip(scored["scores"], scored["labels"], strict=True)
            ]
    place = write_runs(tmp_path / "t", results, rows=rows, cases=list(cases), against=against)
    table = read_table(place)
    lines = {f"{line.name} {line.case}": line for line in table.lines}
    differences = dict(zip(lines, table.differences, strict=True))
    for name, other in zip((f"{x} {case}" for x in names for case in cases), compared, strict=True):
        difference = differences[name]
        if other is None:
            assert difference is None
            continue
        assert difference is not None
        assert (difference.value > 0) == (list(lines).index(name) > list(lines).index(other))


def test_figures_of_a_case_go_before_those_of_a_row(tmp_path: Path) -> None:
    rows = [row("a", published={"i_auroc": 0.9}), row("b", published={"i_auroc": 0.8})]
    published = {"01": {"a": {"i_auroc": 0.7}}}
    place = write_runs(tmp_path / "t", [], rows=rows, cases=["01", "23"], published=published)
    figures = [line.published["i_auroc"] for line in read_table(place).lines]
    assert figures == [0.7, 0.8, 0.9, 0.8]


def test_a_second_book_changes_nothing(runs: Path) -> None:
    write_runs(runs / "other", [], rows=[row("a")])
    book = write_book(runs).read_text(encoding="utf-8")
    assert book.count("\n## Which?") == 2
    files = [file for file in runs.glob("*") if file.is_file()]
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    ends = (".md", ".csv", "-products.csv", ".json", ".svg")
    assert {file.name for file in files} == {
        "book.md",
        *(f"{name}{end}" for name in ("line", "other") for end in ends),
    }
    write_book(runs)
    assert before == {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def test_a_folder_without_tables_has_no_book(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no table"):
        write_book(tmp_path)


def test_a_spread_is_undefined_where_any_seed_is() -> None:
    assert spread_of([]) is None
    assert spread_of([0.5, None]) is None
    alone = spread_of([0.5])
    assert alone is not None
    assert alone.text() == "0.500"
