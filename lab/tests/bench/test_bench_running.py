"""A table from images to the book: processes, resuming, a peer that is not installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch")
import mintad
from mintad.data import read
from mintad.errors import ConfigError, DataError
from mintad_lab.bench.book import write_book
from mintad_lab.bench.cases import Case
from mintad_lab.bench.ours import run_ours
from mintad_lab.bench.results import read_table
from mintad_lab.bench.running import Means, run_table
from mintad_lab.bench.tables import PEER_ROWS, Method, Table

pytestmark = pytest.mark.filterwarnings("ignore:The backbone .* has random weights")


def test_a_row_is_what_mintad_evaluate_says(
    tree: Path, run: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    method = Method("tiny", str(tiny_recipe))
    found = run_ours(method, read(tree), tmp_path / "run", seed=0, cache=cache, from_images=False)
    plain = mintad.evaluate(run, tree).to_json()
    assert found["evaluation"]["macro"] == pytest.approx(plain["macro"])
    assert found["evaluation"]["config"]["product_accuracy"] == plain["config"]["product_accuracy"]
    assert len(found["scores"]["blobs"]["scores"]) == 8
    assert found["seconds"] > 0
    again = run_ours(method, read(tree), tmp_path / "run", seed=0, cache=cache, from_images=True)
    assert again["seconds"] == found["seconds"]


def test_a_separate_row_trains_a_model_for_each_product(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    method = Method("tiny", str(tiny_recipe), ("training.epochs=1",)).apart()
    found = run_ours(method, read(tree), tmp_path, seed=0, cache=cache, from_images=True)
    assert sorted(file.parent.parent.name for file in tmp_path.glob("*/bundle/manifest.json")) == [
        "00-blobs",
        "01-stripes",
    ]
    assert found["evaluation"]["config"]["product_given"]
    assert not [file for file in cache.iterdir() if file.name.startswith("mintad-bench-")]


def test_a_table_runs_once_and_fails_row_by_row(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    table = Table(
        "tiny",
        "Does it run?",
        (Method("tiny", str(tiny_recipe), ("training.epochs=1",)), PEER_ROWS["padim"]),
        (Case("all"), Case("darker", "shifted")),
        against="the first case",
        shares_training=True,
    )
    if find_spec("anomalib") is not None:
        pytest.skip("anomalib is installed: its rows would run")
    said: list[str] = []
    run_table(table, read(tree), tmp_path, seeds=(0,), means=Means(cache), echo=said.append)
    assert len(said) == 4
    found = read_table(tmp_path / "tiny")
    ours = [line for line in found.lines if line.name == "tiny"]
    assert [len(line.results) for line in ours] == [1, 1]
    assert ours[0].results[0]["peak_megabytes"] > 50
    assert ours[0].results[0]["seconds"] == ours[1].results[0]["seconds"]
    assert {line.reason for line in found.lines if line.name == "padim"} == {
        "anomalib is not installed: pip install 'mintad[bench]'."
    }
    book = write_book(tmp_path).read_text("utf-8")
    assert "[" in book
    assert f"- tiny: the recipe {tiny_recipe} with training.epochs=1." in book
    assert not (tmp_path / "tiny" / "images").exists()
    assert not (tmp_path / "tiny" / "trained").exists()

    said.clear()
    run_table(table, read(tree), tmp_path, seeds=(0,), means=Means(cache), echo=said.append)
    assert not said
    other = Table("tiny", "?", (Method("tiny", str(tiny_recipe)),), table.cases)
    with pytest.raises(ConfigError, match="another recipe"):
        run_table(other, read(tree), tmp_path, seeds=(0,), means=Means(cache), echo=said.append)


def test_a_case_that_the_images_do_not_suffice_for_is_refused_before_training(
    tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    cases = (Case("all"), Case("99 images", "few", 99))
    table = Table("tiny", "Does it run?", (Method("tiny", str(tiny_recipe)),), cases)
    with pytest.raises(DataError, match="not 99"):
        run_table(table, read(tree), tmp_path / "out", seeds=(0,))
    assert not (tmp_path / "out").exists()


def test_the_command_lists_and_refuses(
    lab_command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, out, _ = lab_command("bench", "--list")
    assert status == 0
    assert "contaminated: What if there are defects" in out
    assert lab_command("bench")[0] == 2
    status, _, err = lab_command("bench", "--book", tmp_path)
    assert status == 2
    assert "holds no table" in err
    assert lab_command("bench", "line", tmp_path, "--rows", "nobody")[0] == 2
