"""The bootstrap, and the book from the folders of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mintad.errors import ConfigError
from mintad.metrics import METRICS
from mintad.system.files import write_json
from mintad_lab.bench.book import write_book
from mintad_lab.bench.bootstrap import paired_difference
from mintad_lab.bench.results import result_folder
from mintad_lab.bench.tables import TABLES, choose, find_table, tables_text


def scores(shift: float, seed: int = 0, count: int = 60) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found = {}
    for product in ("nut", "bolt"):
        labels = np.arange(count) % 2
        values = rng.normal(size=count) + shift * labels
        found[product] = {"scores": values.tolist(), "labels": labels.tolist()}
    return found


def macro(one: dict[str, Any]) -> float:
    return float(np.mean([roc_auc_score(s["labels"], s["scores"]) for s in one.values()]))


def test_the_difference_is_that_of_macro_aurocs() -> None:
    first, second = [scores(2.0, 0), scores(2.0, 1)], [scores(0.5, 0), scores(0.5, 1)]
    found = paired_difference(first, second)
    assert found is not None
    expected = np.mean([macro(one) for one in first]) - np.mean([macro(one) for one in second])
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert 0 < found.low < found.value < found.high
    assert found == paired_difference(first, second)


def test_a_method_against_itself_differs_by_nothing() -> None:
    assert paired_difference([scores(1.0)], [scores(1.0)]) == (0.0, 0.0, 0.0)


def test_the_interval_is_as_wide_as_drawing_anew_makes_it() -> None:
    """Against a bootstrap written out, image by image."""
    first, second = scores(1.5, 3), scores(0.5, 4)
    found = paired_difference([first], [second])
    assert found is not None
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        differences = []
        for product in first:
            labels = np.array(first[product]["labels"])
            good, defective = (rng.choice(np.flatnonzero(labels == label), 30) for label in (0, 1))
            areas = []
            for one in (first, second):
                values = np.array(one[product]["scores"])
                areas.append(np.mean(values[good] < values[defective, None]))  # of all pairs
            differences.append(areas[0] - areas[1])
        drawn.append(np.mean(differences))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)


def test_other_images_have_no_difference() -> None:
    assert paired_difference([scores(1.0)], [scores(1.0, count=40)]) is None
    assert paired_difference([], []) is None


def result(case: str, row: str, seed: int, shift: float) -> dict[str, Any]:
    found = scores(shift, seed)
    values = {**dict.fromkeys(METRICS, 0.5), "i_auroc": macro(found)}
    counts = {"n_good": 30, "n_defect": 30}
    return {
        "case": case,
        "row": row,
        "seed": seed,
        "key": "",
        "git": "abc",
        "evaluation": {
            "products": dict.fromkeys(found, values | counts),
            "macro": values,
            "pooled": values | counts,
            "config": {"evaluation_size": [224, 224], "product_accuracy": None, "images": 120},
        },
        "scores": found,
        "seconds": 10.0 + seed,
        "inspection_seconds": 2.0,
        "peak_megabytes": 900.0,
        "model_bytes": 2_000_000,
        "versions": {"mintad": "0", "torch": "2"},
        "machine": {"cores": 2, "processor": "a processor", "threads": "1"},
    }


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    place = tmp_path / "line"
    rows = [
        {"name": name, "separate": False, "peer": peer, "recipe": None, "departs": departs}
        for name, peer, departs in (
            ("ours", False, ""),
            ("theirs", True, "2 epochs"),
            ("broken", True, ""),
            ("later", True, ""),
        )
    ]
    about = {
        "name": "line",
        "question": "Which?",
        "against": "the first row",
        "from_images": True,
        "note": "A note.",
        "source": "a paper",
        "paper": {"all images": {"ours": 0.987}},
        "cases": ["all images"],
        "rows": rows,
    }
    write_json(place / "table.json", about)
    for seed in (0, 1):
        for name, shift in (("ours", 2.0), ("theirs", 0.7)):
            folder = result_folder(place, "all images", name, seed)
            write_json(folder / "result.json", result("all images", name, seed, shift))
    broken = {"case": "all images", "row": "broken", "seed": 0, "key": "", "not_run": "It fell."}
    write_json(result_folder(place, "all images", "broken", 0) / "result.json", broken)
    return tmp_path


def test_the_book_says_everything_once(runs: Path) -> None:
    page = write_book(runs).read_text("utf-8")
    assert "Which?" in page
    assert "A note." in page
    assert "0.987" in page
    assert "- theirs: 2 epochs." in page
    assert "- broken was not run. It fell." in page
    assert "- later was not run. Not run yet." in page
    assert page.count("| broken |") == 2
    assert "on 2 cores of a processor" in page
    difference = next(line for line in page.splitlines() if line.startswith("| theirs | 0, 1 |"))
    assert "| -0." in difference
    assert "±" in difference


def test_a_second_book_changes_nothing(runs: Path) -> None:
    write_book(runs)
    files = [file for file in runs.glob("*") if file.is_file()]
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    assert {file.name for file in files} == {
        "book.md",
        "line.md",
        "line.csv",
        "line-products.csv",
    }
    write_book(runs)
    assert before == {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def test_a_folder_without_tables_has_no_book(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no table"):
        write_book(tmp_path)


def test_tables_have_rows_and_cases_of_different_names() -> None:
    for table in TABLES.values():
        for names in ([one.name for one in table.methods], [one.name for one in table.cases]):
            assert names
            assert len(set(names)) == len(names)
        assert table.name in tables_text()


def test_rows_cases_and_overrides_are_chosen() -> None:
    table = choose(
        find_table("low-data"),
        ["uniad", "padim"],
        ["4 images"],
        ["training.epochs=2", "uniad:switches.dim=8"],
        ["size=96"],
    )
    assert [one.name for one in table.methods] == ["uniad", "padim"]
    assert [one.name for one in table.cases] == ["4 images"]
    assert table.methods[0].overrides == ("training.epochs=2", "model=uniad", "switches.dim=8")
    assert table.methods[1].peer is not None
    assert table.methods[1].peer.size == 96
    for wrong in ({"rows": ["x"]}, {"cases": ["x"]}, {"overrides": ["x:seed=1"]}):
        with pytest.raises(ConfigError):
            choose(find_table("line"), **wrong)
    with pytest.raises(ConfigError, match="no table named"):
        find_table("x")
