"""Every command, on the tiny data set, as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("torch")

Command = Callable[..., tuple[int, str, str]]

METRICS = {"i_auroc", "i_ap", "i_f1max", "p_auroc", "p_ap", "p_f1max", "aupro"}
COUNTS = {"n_good", "n_defect"}


def test_train_makes_a_bundle_that_the_other_commands_take(
    command: Command, tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    status, printed, _ = command(
        "train", tree, "--out", out, "--recipe", tiny_recipe, "--cache", cache,
        "--set", "training.epochs=1", "--seed", 7,
    )  # fmt: skip
    assert status == 0
    assert "20 good training images of 2 products" in printed
    assert str(out / "bundle") in printed
    begun = json.loads((out / "run.json").read_text(encoding="utf-8"))["recipe"]
    assert (begun["training"]["epochs"], begun["seed"]) == (1, 7)
    assert command("inspect", out, tree / "blobs" / "test" / "good", "--no-heatmaps")[0] == 0


def test_evaluate_writes_the_numbers_in_the_promised_structure(
    command: Command, tree: Path, run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "deep" / "numbers.json"
    status, printed, errors = command("evaluate", run, tree, "--json", file)
    assert (status, errors) == (0, "")
    content = json.loads(file.read_text(encoding="utf-8"))
    assert set(content) == {"products", "macro", "pooled", "config"}
    assert set(content["products"]) == {"blobs", "stripes"}
    for product in content["products"].values():
        assert set(product) == METRICS | COUNTS
        assert (product["n_good"], product["n_defect"]) == (4, 4)
    assert set(content["macro"]) >= METRICS
    assert set(content["pooled"]) >= METRICS
    assert content["macro"]["i_auroc"] > 0.9  # magenta holes in stripes
    assert content["config"]["product_given"] is False
    row = next(line for line in printed.splitlines() if line.startswith("blobs"))
    assert f"{content['products']['blobs']['aupro']:.3f}" == row.split()[-1]
    assert str(file) in printed


def test_evaluate_can_be_told_the_products(
    command: Command, tree: Path, run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "numbers.json"
    assert command("evaluate", run, tree, "--json", file, "--give-product")[0] == 0
    config = json.loads(file.read_text(encoding="utf-8"))["config"]
    assert config["product_given"] is True
    assert config["product_accuracy"] == 1.0


def test_a_product_without_defects_or_masks_has_null_and_the_reason(
    command: Command, own_tree: Path, run: Path, tmp_path: Path
) -> None:
    shutil.rmtree(own_tree / "blobs" / "test" / "hole")
    shutil.rmtree(own_tree / "blobs" / "ground_truth")
    shutil.rmtree(own_tree / "stripes" / "ground_truth")
    file = tmp_path / "numbers.json"
    assert command("evaluate", run, own_tree, "--json", file)[0] == 0
    products = json.loads(file.read_text(encoding="utf-8"))["products"]
    assert all(products["blobs"][metric] is None for metric in METRICS)
    assert products["stripes"]["i_auroc"] is not None
    assert products["stripes"]["aupro"] is None
    assert set(products["stripes"]["undefined"]) == {"p_auroc", "p_ap", "p_f1max", "aupro"}


def test_inspect_prints_a_line_and_writes_an_overlay_per_image(
    command: Command, tree: Path, run: Path, tmp_path: Path
) -> None:
    paths = [tree / product / "test" for product in ("blobs", "stripes")]
    status, printed, errors = command("inspect", run, *paths, "--out", tmp_path / "heat")
    assert (status, errors) == (0, "")
    lines = [json.loads(line) for line in printed.splitlines()]
    assert len(lines) == 16
    assert {line["product"] for line in lines} <= {"blobs", "stripes"}
    for line in lines:
        assert line["product_given"] is False
        assert 0 < line["product_probability"] <= 1
        with Image.open(line["heatmap"]) as overlay, Image.open(line["image"]) as image:
            assert overlay.size == image.size == (64, 48)
    assert len({line["heatmap"] for line in lines}) == 16
    scores = {
        kind: [line["raw_score"] for line in lines if Path(line["image"]).parent.name == kind]
        for kind in ("good", "hole")
    }
    assert min(scores["hole"]) > max(scores["good"])


def test_inspect_takes_the_product_and_writes_nothing_without_heatmaps(
    command: Command, tree: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = tree / "blobs" / "test" / "good" / "000.png"
    status, printed, _ = command("inspect", run, image, "--product", "stripes", "--no-heatmaps")
    line = json.loads(printed)
    assert status == 0
    assert (line["product"], line["product_given"]) == ("stripes", True)
    assert line["product_probability"] is None
    assert (line["heatmap"], line["error"], line["warning"]) == (None, None, None)
    assert not list(tmp_path.iterdir())


def test_inspect_writes_its_heatmaps_beside_the_caller_unless_told_where(
    command: Command, tree: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, printed, _ = command("inspect", run, tree / "blobs" / "test" / "hole" / "000.png")
    assert status == 0
    (heatmap,) = Path("heatmaps").iterdir()
    assert json.loads(printed)["heatmap"] == str(heatmap)
    assert heatmap.match("000_*_heatmap.png")


def test_inspect_ends_with_1_where_a_folder_or_a_heatmap_failed(
    command: Command, own_tree: Path, run: Path, tmp_path: Path
) -> None:
    folder = own_tree / "blobs" / "test" / "good"
    (folder / "gone.png").symlink_to("nowhere.png")
    status, printed, errors = command("inspect", run, folder, "--no-heatmaps")
    assert (status, len(printed.splitlines())) == (1, 4)
    assert errors == f"warning: The link {folder / 'gone.png'} leads nowhere.\n"
    (folder / "gone.png").unlink()
    assert command("inspect", run, folder, "--out", tmp_path / "heat")[0] == 0
    for heatmap in (tmp_path / "heat").iterdir():
        heatmap.write_bytes(b"somebody's file")
    status, printed, errors = command("inspect", run, folder, "--out", tmp_path / "heat")
    assert (status, len(printed.splitlines())) == (1, 4)
    assert errors == "4 heatmaps could not be written; each line's warning says why.\n"


def test_report_is_one_file_with_every_product(
    command: Command, tree: Path, run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    status, printed, _ = command("report", run, tree, "--out", file, "--examples", 1)
    page = file.read_text(encoding="utf-8")
    assert status == 0
    assert str(file) in printed
    assert page.lower().startswith("<!doctype html>")
    assert "blobs" in page
    assert "stripes" in page
    assert 'src="http' not in page


def test_validate_of_clean_data_says_so(command: Command, tree: Path) -> None:
    status, printed, _ = command("validate", tree)
    assert (status, printed) == (0, "36 images of 2 products: no problems\n")


def test_validate_groups_the_problems_by_product(command: Command, own_tree: Path) -> None:
    truncated = own_tree / "blobs" / "train" / "good" / "003.png"
    truncated.write_bytes(truncated.read_bytes()[:300])
    orphan = own_tree / "stripes" / "ground_truth" / "hole" / "077_mask.png"
    Image.new("L", (64, 48), 255).save(orphan)
    status, printed, _ = command("validate", own_tree)
    blobs, stripes, total = printed.split("\n\n")
    assert status == 1
    assert blobs.startswith("blobs: 1 error\n  error: ")
    assert str(truncated) in blobs
    assert stripes.startswith("stripes: 1 warning\n  warning: ")
    assert str(orphan) in stripes
    assert total == "36 images of 2 products: 1 error, 1 warning\n"


def test_doctor_tells_the_same_in_words_and_in_json(command: Command) -> None:
    status, printed, _ = command("doctor", "--json")
    machine = json.loads(printed)
    assert status == 0
    assert machine["cores"] >= 1
    assert machine["versions"]["torch"]
    assert isinstance(machine["bfloat16"], bool)
    assert "efficientnet_lite0" in machine["backbones"]
    status, printed, _ = command("doctor")
    assert status == 0
    assert f"torch {machine['versions']['torch']}" in printed


HEAVY = {"torch", "timm", "lightning", "numpy", "PIL", "safetensors", "pyarrow", "jinja2"}
CALL = "import sys; sys.argv = {!r}; from mintad.cli.app import main; main()"


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import mintad", HEAVY | {"pydantic", "typer", "rich"}),
        (CALL.format(["mintad", "--help"]), HEAVY),
        (CALL.format(["mintad", "train", "--help"]), HEAVY),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(code: str, heavy: set[str]) -> None:
    listing = "import atexit, sys; atexit.register(lambda: print('MODULES', *sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", f"{listing}; {code}"], capture_output=True, text=True, check=True
    )
    modules = result.stdout.rpartition("MODULES")[2].split()
    assert "mintad" in modules
    assert not heavy & set(modules)


@pytest.mark.parametrize("words", [["doctor"], ["validate", "DATA"]])
def test_what_needs_no_torch_runs_without_it(words: list[str], tree: Path) -> None:
    words = ["mintad", *(str(tree) if word == "DATA" else word for word in words)]
    without = "import sys; sys.modules.update(dict.fromkeys(('torch', 'timm', 'lightning')))"
    result = subprocess.run(
        [sys.executable, "-c", f"{without}; {CALL.format(words)}"], capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("words", [["train", "DATA", "--out", "run"], ["inspect", "RUN", "DATA"]])
def test_what_needs_torch_names_the_extra(
    words: list[str], tree: Path, run: Path, tmp_path: Path
) -> None:
    places = {"DATA": str(tree), "RUN": str(run), "run": str(tmp_path / "run")}
    words = ["mintad", *(places.get(word, word) for word in words)]
    without = "import sys; sys.modules.update(dict.fromkeys(('torch', 'timm', 'lightning')))"
    result = subprocess.run(
        [sys.executable, "-c", f"{without}; {CALL.format(words)}"], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "pip install 'mintad[train]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_version_is_that_of_the_package(command: Command, lab_command: Command) -> None:
    assert command("--version") == (0, f"mintad {version('mintad')}\n", "")
    assert lab_command("--version") == (0, f"mintad-lab {version('mintad-lab')}\n", "")


def test_a_file_name_cannot_steer_the_terminal(command: Command, run: Path) -> None:
    status, _, errors = command("inspect", run, "no\x1b[2Jwhere.png")
    assert status == 2
    assert "no\\x1b[2Jwhere.png" in errors
