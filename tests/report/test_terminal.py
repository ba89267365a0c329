from __future__ import annotations

import io

import pytest
from rich.console import Console

from mintad.report.terminal import evaluation_table, evaluation_text

KEYS = ("i_auroc", "i_ap", "i_f1max", "p_auroc", "p_ap", "p_f1max", "aupro")
HEADERS = ("AUROC", "AP", "F1max", "AUROC", "AP", "F1max", "AUPRO")


def shown(evaluation: dict, title: str | None = None, width: int = 140) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(evaluation_table(evaluation, title))
    return console.file.getvalue().splitlines()


def test_products_macro_and_pooled_are_rows_with_their_numbers():
    values = {key: 0.9 + index / 100 for index, key in enumerate(KEYS)}
    evaluation = {
        "products": {
            "nut": {**values, "n_good": 1200, "n_defect": 5},
            "[red]bolt[/]": {**values, "aupro": None, "n_good": 1, "n_defect": 2}
            | {"undefined": {"aupro": "No [masks]."}},
        },
        "macro": values,
        "pooled": values,
    }
    lines = shown(evaluation, "Line [1]")
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
    values = dict.fromkeys(KEYS, 1.0)
    undefined = dict.fromkeys(KEYS)
    evaluation = {
        "products": {
            "bottle": {**values, "n_good": 12345, "n_defect": 123},
            "transistor_two": {**undefined, "n_good": 2, "n_defect": 123}
            | {"undefined": dict.fromkeys(KEYS, "No masks.")},
        },
        "macro": values,
        "pooled": values,
    }
    lines = shown(evaluation, width=width)
    assert max(map(len, lines)) <= width
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert rows["bottle"] == ["bottle", "12,345", "123", *["1.000"] * 7]
    assert rows["transistor_two"] == ["transistor_two", "2", "123", *["–", "1"] * 7]
    assert rows["Product"] == ["Product", "Good", "Defect", *HEADERS]


def test_a_long_name_is_whole_where_nothing_limits_the_width(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    name = "the_longest_product_name_of_the_line"
    values = dict.fromkeys(KEYS, 1.0) | {"n_good": 1, "n_defect": 1}
    text = evaluation_text({"products": {name: values}, "macro": values, "pooled": values})
    assert any(line.startswith(f"{name} ") for line in text.splitlines())
