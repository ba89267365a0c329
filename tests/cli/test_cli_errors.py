"""Bad input on the command line: a message that names the file and the mend, and an exit status."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import mintad
from mintad.training import fitting

Command = Callable[..., tuple[int, str, str]]


def huge_png(path: Path, side: int = 30_000) -> Path:
    """A PNG of side x side pixels in some hundred bytes: its data stop after the first rows."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


def truncated_png(path: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:300])
    return path


def text_png(path: Path) -> Path:
    path.write_text("this is no image", encoding="utf-8")
    return path


def message(errors: str) -> tuple[str, str]:
    """What is wrong and how to mend it, from standard error."""
    assert "Traceback" not in errors
    problem, mend = errors[errors.index("error: ") :].rstrip("\n").split("\n  ")
    assert problem.endswith(".")
    assert mend
    return problem.removeprefix("error: "), mend


@pytest.fixture
def train(command: Command, tiny_recipe: Path, tmp_path: Path) -> Command:
    """Trains into `tmp_path/run` with the tiny recipe."""

    def call(*words: object) -> tuple[int, str, str]:
        fixed = ("--recipe", tiny_recipe, "--cache", tmp_path / "cache", "--out", tmp_path / "run")
        return command("train", *words, *fixed)

    return call


BAD_IMAGES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "truncated": (truncated_png, "is truncated"),
    "text": (text_png, "is not a PNG, JPEG, BMP, TIFF, WebP or PNM image"),
    "huge": (huge_png, "30000 x 30000"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_training_names_the_bad_image_and_goes_on_when_it_is_mended(
    train: Command, own_tree: Path, tmp_path: Path, kind: str
) -> None:
    make, words = BAD_IMAGES[kind]
    bad = make(own_tree / "stripes" / "train" / "good" / "005b.png")
    status, _, errors = train(own_tree)
    problem, _ = message(errors)
    assert status == 2
    assert str(bad) in problem
    assert words in problem
    bad.unlink()
    assert train(own_tree)[0] == 0


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_inspection_gives_the_bad_image_an_error_and_inspects_the_others(
    command: Command, own_tree: Path, run: Path, tmp_path: Path, kind: str
) -> None:
    make, words = BAD_IMAGES[kind]
    folder = own_tree / "blobs" / "test" / "good"
    bad = make(folder / "001b.png")
    status, printed, errors = command("inspect", run, folder, "--out", tmp_path / "heat")
    lines = {line["image"]: line for line in map(json.loads, printed.splitlines())}
    assert status == 1
    assert "1 image could not be inspected" in errors
    assert words in lines[str(bad)]["error"]
    others = [line for name, line in lines.items() if name != str(bad)]
    assert len(others) == 4
    assert {tuple(line) for line in lines.values()} == {tuple(others[0])}
    assert all(Path(line["heatmap"]).is_file() for line in others)


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_validation_lists_the_bad_image(command: Command, own_tree: Path, kind: str) -> None:
    make, words = BAD_IMAGES[kind]
    bad = make(own_tree / "blobs" / "train" / "good" / "005b.png")
    status, printed, _ = command("validate", own_tree)
    assert status == 1
    assert str(bad) in printed
    assert words in printed


def test_evaluation_names_a_bad_test_image(command: Command, own_tree: Path, run: Path) -> None:
    bad = truncated_png(own_tree / "blobs" / "test" / "good" / "001b.png")
    status, _, errors = command("evaluate", run, own_tree)
    assert status == 2
    assert str(bad) in message(errors)[0]


def test_a_folder_without_images(
    command: Command, run: Path, train: Command, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for call in (
        train(empty),
        command("evaluate", run, empty),
        command("inspect", run, empty),
        command("report", run, empty, "--out", tmp_path / "report.html"),
        command("validate", empty),
    ):
        status, _, errors = call
        assert status == 2
        assert str(empty) in message(errors)[0]
    assert not (tmp_path / "run").exists()


def test_a_product_with_one_image(train: Command, own_tree: Path, tmp_path: Path) -> None:
    for file in sorted((own_tree / "blobs" / "train" / "good").iterdir())[1:]:
        file.unlink()
    status, _, errors = train(own_tree)
    problem, mend = message(errors)
    assert status == 2
    assert "blobs has 1 good training image" in problem
    assert "at least 2" in mend
    assert not (tmp_path / "run").exists()


def test_a_mask_of_another_size(
    command: Command, own_tree: Path, run: Path, tmp_path: Path
) -> None:
    mask = own_tree / "blobs" / "ground_truth" / "hole" / "002_mask.png"
    Image.new("L", (32, 24), 255).save(mask)
    numbers = tmp_path / "numbers.json"
    status, _, errors = command("evaluate", run, own_tree, "--json", numbers)
    problem, _ = message(errors)
    assert status == 2
    assert str(mask) in problem
    assert "32x24" in problem
    assert not numbers.exists()


def test_a_manifest_with_a_missing_column(train: Command, tmp_path: Path) -> None:
    manifest = tmp_path / "data.csv"
    manifest.write_text("product,image\nnut,nut/1.png\n", encoding="utf-8")
    status, _, errors = train(manifest)
    problem, mend = message(errors)
    assert status == 2
    assert f"{manifest} has no column split" in problem
    assert "product, split, image" in mend


@pytest.mark.parametrize("file", ["model.safetensors", "backbone.safetensors"])
def test_a_bundle_with_a_changed_byte(
    command: Command, tree: Path, run: Path, tmp_path: Path, file: str
) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    changed = mintad.load(copy).file(file)
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    for call in (command("evaluate", copy, tree), command("inspect", copy, tree)):
        status, printed, errors = call
        problem, mend = message(errors)
        assert (status, printed) == (2, "")
        assert str(changed) in problem
        assert mend.startswith("Copy the bundle once more")


def test_a_full_disk_while_training_keeps_what_was_done(
    train: Command, tree: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = 0
    save = fitting.SaveEachEpoch.on_train_epoch_end

    def second_fails(self: fitting.SaveEachEpoch, trainer: Any, module: object) -> None:
        nonlocal saves
        saves += 1
        if saves == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(self, trainer, module)

    monkeypatch.setattr(fitting.SaveEachEpoch, "on_train_epoch_end", second_fails)
    status, _, errors = train(tree)
    problem, mend = message(errors)
    assert status == 2
    assert "disk is full" in problem
    assert str(tmp_path / "run") in problem
    assert "Free some space" in mend
    assert train(tree, "--resume")[0] == 0
    assert saves == 4  # one, the failed one, then the second and the third epoch
    ours, theirs = (
        mintad.load(place).tensors("model.safetensors") for place in (tmp_path / "run", run)
    )
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another signal there")
def test_ctrl_c_in_the_middle_and_resume(
    train: Command, tree: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    words = ["train", tree, "--out", tmp_path / "run", "--cache", tmp_path / "cache"]
    words += ["--recipe", tiny_recipe, "--set", "training.epochs=25"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mintad.cli", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background job ignores Ctrl-C, and so would this process after it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    checkpoint = tmp_path / "run" / fitting.CHECKPOINT
    while not checkpoint.is_file() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "the same command with --resume goes on" in errors
    assert "Traceback" not in errors
    assert checkpoint.is_file()
    assert not (tmp_path / "run" / "bundle").exists()
    assert train(tree, "--resume", "--set", "training.epochs=25")[0] == 0
    log = (tmp_path / "run" / "logs" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in log[1:]] == [str(epoch) for epoch in range(25)]


def test_ctrl_c_before_the_first_epoch_loses_no_features(
    train: Command, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mintad.training.run.hold_out", stopped)
        status, _, errors = train(tree)
    assert status == 130
    assert "goes on" in errors
    assert list((tmp_path / "cache").rglob("about.json"))
    assert train(tree, "--resume")[0] == 0


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["train", "DATA", "--out", "OUT", "--recipe", "none"], ["'none'", "default"]),
        (["train", "DATA", "--out", "OUT", "--recipe", "none.toml"], ["none.toml", "path"]),
        (["train", "DATA", "--out", "OUT", "--set", "seed"], ["'seed'", "FIELD=VALUE"]),
        (
            ["train", "DATA", "--out", "OUT", "--set", "training.epoch=1"],
            ["training.epoch", "epochs"],
        ),
        (["train", "DATA", "--out", "OUT", "--set", "switches.dims=1"], ["dims", "dim"]),
        (["train", "DATA", "--out", "OUT", "--set", "backbone.name=lite"], ["lite", "timm:"]),
        (["train", "DATA", "--out", "OUT", "--set", "model=none"], ["none", "mint-ad"]),
        (["train", "DATA", "--out", "FILE"], ["FILE", "folder"]),
        (["train", "DATA", "--out", "RUN"], ["already holds a run", "--resume"]),
        (["train", "DATA", "--out", "OUT", "--resume"], ["no run to resume", "without --resume"]),
        (
            ["train", "DATA", "--out", "RUN", "--resume", "--seed", "3"],
            ["another recipe", "--seed"],
        ),
        (["train", "nowhere", "--out", "OUT"], ["nowhere", "spelling"]),
        (["train", "DATA", "--out", "OUT", "--layout", "none"], ["none", "mvtec"]),
        (["evaluate", "nowhere", "DATA"], ["nowhere", "mintad train"]),
        (["evaluate", "RUN", "DATA", "--engine", "none"], ["'none'", "torch"]),
        (["evaluate", "RUN", "DATA", "--json", "DATA"], ["DATA", "write"]),
        (["evaluate", "RUN", "other=DATA"], ["other/blobs", "stripes"]),
        (["inspect", "RUN", "nowhere.png"], ["nowhere.png", "path"]),
        (["inspect", "RUN", "DATA", "--product", "nut"], ["'nut'", "stripes"]),
        (["inspect", "RUN", "DATA", "--out", "FILE"], ["FILE", "write"]),
        (["report", "RUN", "DATA", "--out", "DATA"], ["DATA", "write"]),
    ],
)
def test_a_mistake_is_told_with_its_mend(
    command: Command, tree: Path, run: Path, tmp_path: Path, words: list[str], fragments: list[str]
) -> None:
    (tmp_path / "FILE").write_text("a file", encoding="utf-8")
    places = {"DATA": str(tree), "RUN": str(run), "other=DATA": f"other={tree}"}
    places |= {name: str(tmp_path / name) for name in ("OUT", "FILE")}
    status, _, errors = command(*(places.get(word, word) for word in words))
    problem, mend = message(errors)
    assert status == 2
    assert places.get(fragments[0], fragments[0]) in problem
    assert fragments[1] in mend
    assert not (tmp_path / "OUT").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_output_that_does_not_arrive_is_an_error() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "mintad.cli", "doctor", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recipe_in_another_encoding_is_named(
    command: Callable[..., tuple[int, str, str]], tree: Path, tmp_path: Path
) -> None:
    words = (tree, "--recipe", tmp_path / "r.toml", "--out", tmp_path / "o")
    (tmp_path / "r.toml").write_bytes("model = 'ä'".encode("latin-1"))
    status, _, err = command("train", *words)
    assert status == 2
    assert "r.toml cannot be read: it is not UTF-8" in err
    (tmp_path / "r.toml").write_text(f"x = {'[' * 5000}", encoding="utf-8")
    status, _, err = command("train", *words)
    assert status == 2
    assert "error: " in err


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp932", "utf-8"])
def test_a_terminal_of_any_encoding_shows_every_name(encoding: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mintad.cli", "validate", b"/none/\xe6\xa4\x9c\xff.png"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 2
    name = "検" if encoding in ("cp932", "utf-8") else "\\u691c"
    assert f"/none/{name}\\udcff.png" in done.stderr.decode(encoding)
