from __future__ import annotations

import io

from rich.console import Console

from mintad.report.terminal import evaluation_table

KEYS = ("i_auroc", "i_ap", "i_f1max", "p_auroc", "p_ap", "p_f1max", "aupro")


def shown(evaluation: dict, title: str | None = None) -> list[str]:
    console = Console(file=io.StringIO(), width=140)
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
