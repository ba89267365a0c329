from __future__ import annotations

import io

import pytest
from rich.console import Console

from mintad.metrics import (
    METRICS,
    Evaluation,
    EvaluationConfig,
    MetricTable,
    ProductMetrics,
    find_profiles,
)
from mintad.reporting.terminal import evaluation_table, evaluation_text, protocols_text

HEADERS = ("AUROC", "AP", "F1max", "AUROC", "AP", "F1max", "AUPRO")


def shown(metrics: MetricTable, title: str | None = None, width: int = 140) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(evaluation_table(metrics, title))
    return console.file.getvalue().splitlines()


def test_products_macro_and_pooled_are_rows_with_their_numbers():
    values = {key: 0.9 + index / 100 for index, key in enumerate(METRICS)}
    products = {
        "nut": ProductMetrics(values, {}, 1200, 5),
        "[red]bolt[/]": ProductMetrics({**values, "aupro": None}, {"aupro": "No [masks]."}, 1, 2),
    }
    lines = shown(MetricTable(products, ProductMetrics(values, {}, 1201, 7)), "Line [1]")
    assert lines[0].strip() == "Line [1]"
    numbers = ["0.900", "0.910", "0.920", "0.930", "0.940", "0.950", "0.960"]
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert rows["nut"] == ["nut", "1,200", "5", *numbers]
    assert rows["[red]bolt[/]"] == ["[red]bolt[/]", "1", "2", *numbers[:-1], "–", "1"]
    assert rows["Macro"] == ["Macro", "mean", "1,201", "7", *numbers]
    assert rows["Pooled"] == ["Pooled", "1,201", "7", *numbers]
    assert rows["1"] == ["1", "No", "[masks]."]


@pytest.mark.parametrize("width", [80, 120])
def test_a_row_is_one_line_at_eighty_columns(width: int):
    bottle = ProductMetrics(dict.fromkeys(METRICS, 1.0), {}, 12345, 123)
    undefined = ProductMetrics(dict.fromkeys(METRICS), dict.fromkeys(METRICS, "No masks."), 2, 123)
    lines = shown(MetricTable({"bottle": bottle, "transistor_two": undefined}, bottle), width=width)
    assert max(map(len, lines)) <= width
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert rows["bottle"] == ["bottle", "12,345", "123", *["1.000"] * 7]
    assert rows["transistor_two"] == ["transistor_two", "2", "123", *["–", "1"] * 7]
    assert rows["Product"] == ["Product", "Good", "Defect", *HEADERS]


def test_a_long_name_is_whole_where_nothing_limits_the_width(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    name = "the_longest_product_name_of_the_line"
    values = ProductMetrics(dict.fromkeys(METRICS, 1.0), {}, 1, 1)
    text = evaluation_text(MetricTable({name: values}, values))
    assert any(line.startswith(f"{name} ") for line in text.splitlines())


def test_protocols_say_how_far_each_metric_moved():
    values = dict.fromkeys(METRICS, 0.5)
    moved = values | {"i_ap": 0.75, "p_ap": None}
    tables = {
        "mintad": MetricTable({}, ProductMetrics(values, {}, 1, 1)),
        "own": MetricTable({}, ProductMetrics(moved, {"p_ap": "no masks"}, 1, 1)),
    }
    (reference,) = find_profiles([])
    own = reference.model_copy(update={"name": "own", "defines": ("i_ap",)})
    config = EvaluationConfig(
        bundles=1, evaluation_size=(8, 8), product_given=False, scores="raw", images=2
    )
    macro, pooled, star = protocols_text(
        Evaluation(tables, (reference, own), config, (), ())
    ).split("\n\n")
    assert pooled.splitlines() == [
        "| pooled | image AUROC | AP | F1-max | pixel AUROC | AP | F1-max | AUPRO |",
        "|---|---|---|---|---|---|---|---|",
        "| mintad |" + " 0.5000 |" * 7,
        "| own | 0.5000 (+0.0000) * | 0.7500 (+0.2500) | 0.5000 (+0.0000) * "
        "| 0.5000 (+0.0000) * | – * | 0.5000 (+0.0000) * | 0.5000 (+0.0000) * |",
    ]
    assert macro.splitlines()[2] == "| mintad |" + " – |" * 7
    assert star.startswith("*")
