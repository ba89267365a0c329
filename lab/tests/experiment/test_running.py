"""A table from images to its page: checked, run once, refused, and gone on with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
from mintad.data import Dataset, read
from mintad.errors import ConfigError, DataError
from mintad_lab.experiment.book import write_book
from mintad_lab.experiment.results import read_table
from mintad_lab.experiment.running import Means, run_table
from mintad_lab.experiment.table import Case, Row, Table
from mintad_lab.tables import shared_rows

pytestmark = pytest.mark.filterwarnings("ignore:The backbone .* has random weights")


@pytest.fixture
def table(tiny_recipe: Path) -> Table:
    rows = (Row("all", recipe=tiny_recipe), Row("one epoch", ("training.epochs=1",), tiny_recipe))
    return Table("tiny", "Does it run?", rows)


@pytest.mark.slow
def test_a_table_runs_in_processes(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cases that share a training, and a peer whose package is not there."""
    rows = (Row("tiny", ("training.epochs=1",), tiny_recipe), shared_rows()["padim"])
    cases = (Case("all"), Case("darker", "shifted"))
    table = Table("tiny", "?", rows, cases, "the first case", shares_training=True)
    missing = "raise ModuleNotFoundError(name='anomalib')"
    (tmp_path / "anomalib.py").write_text(missing, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    dataset, means, said = read(tree), Means(cache), list[str]()
    options = {"seeds": (0,), "means": means, "echo": said.append}
    run_table(table, dataset, tmp_path, rows=["tiny"], **options)  # type: ignore[arg-type]
    run_table(table, dataset, tmp_path, cases=["all"], **options)  # type: ignore[arg-type]
    assert len(said) == 3
    lines = {(line.name, line.case): line for line in read_table(tmp_path / "tiny").lines}
    first, second = (lines["tiny", case].results[0] for case in ("all", "darker"))
    assert first["peak_megabytes"] > 50
    assert first["seconds"] == second["seconds"]
    assert first["evaluation"]["macro"] != second["evaluation"]["macro"]
    reason = "anomalib is not installed: pip install 'mintad-lab[peers]'."
    assert lines["padim", "all"].reason == reason
    page = (tmp_path / "tiny.md").read_text(encoding="utf-8")
    assert "[" in page
    assert f"- tiny: the recipe {tiny_recipe} (1 epochs, timm:test_efficientnet)" in page
    assert not (tmp_path / "tiny" / "images").exists()
    assert not list(tmp_path.rglob("*.safetensors"))


def test_what_is_finished_is_not_done_again(
    processes: Any, table: Table, tree: Path, tmp_path: Path
) -> None:
    dataset, said = read(tree), list[str]()
    run_table(table, dataset, tmp_path, rows=["one epoch"], seeds=(0,), echo=said.append)
    run_table(table, dataset, tmp_path, seeds=(0, 1), echo=said.append)
    done = [(job.row.name, job.seed) for job in processes.jobs]
    assert done == [("one epoch", 0), ("all", 0), ("all", 1), ("one epoch", 1)]
    assert said[0] == (
        "tiny, all images, one epoch, seed 0: image AUROC macro 0.900, pooled 0.900; trained in 1 s"
    )
    page = (tmp_path / "tiny.md").read_bytes()
    assert run_table(table, dataset, tmp_path, seeds=(0, 1)) == tmp_path / "tiny.md"
    assert len(processes.jobs) == 4
    write_book(tmp_path)
    assert (tmp_path / "tiny.md").read_bytes() == page
    names = [line.name for line in read_table(tmp_path / "tiny").lines]
    assert names == ["all", "one epoch"]  # the table's order, not that of the calls


def test_the_page_is_there_after_the_first_run(
    processes: Any, table: Table, tree: Path, tmp_path: Path
) -> None:
    pages: list[str] = []

    def look(_: str) -> None:
        file = tmp_path / "tiny.md"
        pages.append(file.read_text(encoding="utf-8") if file.is_file() else "")

    run_table(table, read(tree), tmp_path, seeds=(0,), echo=look)
    assert pages[0] == ""
    assert "| all | 0 |" in pages[1]
    assert "one epoch was not run. Not run yet." in pages[1]


def test_what_failed_is_tried_again_when_asked_for(
    processes: Any, table: Table, tree: Path, tmp_path: Path
) -> None:
    dataset, first = read(tree), ["all"]
    processes.fails = True
    run_table(table, dataset, tmp_path, rows=first, seeds=(0,))
    run_table(table, dataset, tmp_path, rows=first, seeds=(0,))
    assert len(processes.jobs) == 1
    assert "all was not run. It fell." in (tmp_path / "tiny.md").read_text(encoding="utf-8")
    processes.fails = False
    run_table(table, dataset, tmp_path, rows=first, seeds=(0,), means=Means(retry=True))
    assert len(processes.jobs) == 2
    assert "was not run" not in (tmp_path / "tiny.md").read_text(encoding="utf-8")
    processes.fails = True
    run_table(
        table.override(["training.epochs=2"]), dataset, tmp_path / "b", rows=first, seeds=(0,)
    )
    run_table(table, dataset, tmp_path / "b", rows=first, seeds=(0,))  # another recipe: no failure
    assert len(processes.jobs) == 4


def test_bundles_are_deleted_unless_they_are_to_be_kept(
    processes: Any, table: Table, tree: Path, tmp_path: Path
) -> None:
    dataset, first = read(tree), ["all"]
    run_table(table, dataset, tmp_path / "a", rows=first, seeds=(0,))
    assert not list(tmp_path.rglob("manifest.json"))
    run_table(table, dataset, tmp_path, rows=first, seeds=(0,), means=Means(keep_bundles=True))
    assert (tmp_path / "tiny/all-images/all-0/run/bundle/manifest.json").is_file()


def test_a_folder_of_another_recipe_or_of_other_images_is_refused(
    processes: Any, table: Table, own_tree: Path, tmp_path: Path
) -> None:
    def go(changed: Table, dataset: Dataset) -> None:
        run_table(changed, dataset, tmp_path / "out", seeds=(0,))

    go(table, read(own_tree))
    with pytest.raises(ConfigError, match="another recipe"):
        go(table.override(["training.epochs=2"]), read(own_tree))
    done = len(processes.jobs)
    masks = sorted(own_tree.glob("blobs/ground_truth/hole/*.png"))
    content = masks[0].read_bytes()
    masks[0].write_bytes(masks[1].read_bytes())
    with pytest.raises(ConfigError, match="other images"):
        go(table, read(own_tree))
    masks[0].write_bytes(content)
    go(table, read(own_tree))
    assert len(processes.jobs) == done


@pytest.mark.parametrize(
    "bad",
    [
        ("switches.heads=3",),
        ("switches.transformer=false",),
        ("model=uniad",),
        ("model=uniad-text-prompt",),
        ("training.epoch=3",),
        ("backbone.stages=[9]",),
    ],
)
def test_a_row_that_cannot_be_is_refused_before_any_is_trained(
    bad: tuple[str, ...], tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    rows = (Row("good", recipe=tiny_recipe), Row("bad", bad, tiny_recipe))
    with pytest.raises(ConfigError, match="The row bad: "):
        run_table(Table("t", "?", rows), read(tree), tmp_path / "out", means=Means(tmp_path / "c"))
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "c").exists()


def test_images_that_do_not_suffice_are_refused_before_any_row_is_trained(
    table: Table, tree: Path, tmp_path: Path
) -> None:
    dataset = read(tree)
    few = Table("t", "?", table.rows, (Case("all"), Case("99 images", "few", 99)))
    with pytest.raises(DataError, match="not 99"):
        run_table(few, dataset, tmp_path / "out")
    strangers = dataset.where(lambda one: one.split == "test" or one.product == "blobs")
    with pytest.raises(DataError, match="stripes"):
        run_table(table, strangers, tmp_path / "out")
    with pytest.raises(DataError, match="no labelled test images"):
        run_table(table, dataset.train, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_share_a_folder_are_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a-b"):
        run_table(Table("t", "?", (Row("a b"), Row("a, b"))), read(tree), tmp_path)
    with pytest.raises(ConfigError, match="no row to run"):
        run_table(Table("t", "?", ()), read(tree), tmp_path)


def test_a_row_whose_weights_are_not_at_hand_says_so_until_they_are(
    processes: Any, tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    weights = ("backbone.name=resnet18", "backbone.weights=none.pth")
    table = Table("t", "?", (Row("a", weights, tiny_recipe),))
    said: list[str] = []
    page = run_table(table, read(tree), tmp_path, seeds=(0,), echo=said.append)
    assert len(said) == 1
    assert "a was not run. There is no weights file none.pth" in page.read_text(encoding="utf-8")
    assert not processes.jobs
    here = table.override(["a:backbone.name=timm:test_efficientnet", "a:backbone.weights=random"])
    run_table(here, read(tree), tmp_path, seeds=(0,))
    assert len(processes.jobs) == 1
    assert "was not run" not in page.read_text(encoding="utf-8")


def test_a_peer_runs_in_the_python_that_has_it(
    processes: Any, table: Table, tree: Path, tmp_path: Path
) -> None:
    both = Table("t", "?", (*table.rows[:1], shared_rows()["padim"]))
    means = Means(peer_python=Path("other/python"), download=True)
    run_table(both, read(tree), tmp_path, seeds=(0,), means=means)
    assert processes.pythons == [None, Path("other/python")]
    assert processes.jobs[1].download
    page = (tmp_path / "t.md").read_text(encoding="utf-8")
    assert "- padim: one pass at 224x224 pixels, 100 channels drawn of three stages." in page
