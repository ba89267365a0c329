"""Whatever lies under a data folder and is not read has a name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mintad.data import decode_mask, read, validate
from mintad.reporting.problems import left_out_text


def left_out(root: Path, **options) -> list[tuple[str, int, str]]:
    """Place relative to `root`, count and kind of all that is left out."""
    return [
        (left.path.relative_to(root).as_posix(), left.count, left.kind)
        for left in read(root, **options).left_out
    ]


def test_a_clean_tree_leaves_nothing_out(mvtec_tree):
    for name in ("readme.txt", "license.md", "nut/notes.json", ".DS_Store", "nut/Thumbs.db"):
        (mvtec_tree / name).write_text("hello")
    (mvtec_tree / "papers").mkdir()
    (mvtec_tree / ".git").mkdir()
    shutil.copy(mvtec_tree / "nut/train/good/000.png", mvtec_tree / ".git/a.png")
    dataset = read(mvtec_tree)
    assert dataset.left_out == ()
    assert left_out_text(dataset) == ""


def test_deeper_folders_are_named_as_a_whole(mvtec_tree, write):
    for number in range(3):
        write(f"line/nut/train/good/camera2/{number}.png")
        write(f"line/nut/test/crack/night/rain/{number}.png")
        write(f"line/nut/test/crack/night/{number}.png")
    write("line/nut/ground_truth/crack/old/1.png")
    assert left_out(mvtec_tree) == [
        ("nut/ground_truth/crack/old/1.png", 1, "mask without image"),
        ("nut/test/crack/night", 6, "left out"),
        ("nut/train/good/camera2", 3, "left out"),
    ]
    dataset = read(mvtec_tree)
    message = dataset.left_out[1].message
    assert message.startswith(f"6 images in {mvtec_tree}/nut/test/crack/night are left out")
    assert "train/good and test/<defect>" in message
    problems = validate(dataset)
    assert {problem.message for problem in problems} == {left.message for left in dataset.left_out}
    assert {problem.severity for problem in problems} == {"warning"}
    text = left_out_text(dataset)
    assert text.startswith("10 files in 3 places")
    assert "nut/ground_truth/crack/old/1.png" in text
    assert dataset.train.left_out == ()


def test_folders_beside_train_are_named(mvtec_tree, write):
    for place in ("validation/good", "test_private", "Test/scratch", "extra/a/b/c/d"):
        write(f"line/nut/{place}/1.png")
        write(f"line/nut/{place}/2.png")
    assert left_out(mvtec_tree) == [
        ("nut/Test", 2, "left out"),
        ("nut/extra", 2, "left out"),
        ("nut/test_private", 2, "left out"),
        ("nut/validation", 2, "left out"),
    ]


def test_other_endings_are_named_with_their_number(mvtec_tree):
    good = mvtec_tree / "nut/train/good"
    for name in ("a.heic", "b.HEIC", "c.gif", "d.npy"):
        (good / name).write_bytes(b"some picture")
    (mvtec_tree / "nut/test/crack/e.heic").write_bytes(b"some picture")
    shutil.copy(good / "000.png", good / "no_ending")
    shutil.copy(good / "000.png", good / "backup.bak")
    (good / "other.xyz").write_bytes(b"GIF89a")
    (good / "notes.xyz").write_bytes(b"only words")
    found = {left.path: left for left in read(mvtec_tree).left_out}
    assert len(found) == 6
    heic = found[mvtec_tree / "nut"]
    assert heic.message.startswith("3 files in ")
    assert ".heic" in heic.message
    assert "TIFF" in heic.mend
    assert "ends in nothing" in found[good / "no_ending"].message
    assert ".bak" in found[good / "backup.bak"].message
    assert {good / "c.gif", good / "d.npy", good / "other.xyz"} < set(found)


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".jif", ".dib", ".apng", ".btf"])
def test_rare_endings_are_read(tmp_path, paint, ending):
    form = {".dib": "BMP", ".apng": "PNG", ".btf": "TIFF"}.get(ending, "JPEG")
    place = tmp_path / f"nut/1{ending}"
    place.parent.mkdir()
    Image.fromarray(paint()).save(place, form)
    dataset = read(tmp_path)
    assert [sample.image for sample in dataset] == [place]
    assert dataset.left_out == ()


@pytest.mark.parametrize(("ending", "kind"), [(".pgm", b"P5"), (".ppm", b"P6"), (".pnm", b"P5")])
def test_portable_maps_are_read(tmp_path, ending, kind):
    place = tmp_path / f"nut/1{ending}"
    place.parent.mkdir()
    place.write_bytes(kind + b" 4 4 255\n" + bytes(48))
    assert [sample.image for sample in read(tmp_path)] == [place]


def test_links(mvtec_tree, tmp_path, write):
    good = mvtec_tree / "nut/train/good"
    (good / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (good / "round.png").symlink_to(good / "round.png")
    (good / "linked.png").symlink_to(write("elsewhere/x.png"))  # read: a link to a file is a file
    (good / "back").symlink_to(mvtec_tree)  # what it leads to is read or named anyway
    (good / "more").symlink_to(tmp_path / "elsewhere/deep")
    write("elsewhere/deep/v1/set/1.png")
    (good / "void").symlink_to(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    dataset = read(mvtec_tree)
    assert good / "linked.png" in {sample.image for sample in dataset}
    assert left_out(mvtec_tree) == [
        ("nut/train/good/gone.png", 1, "left out"),
        ("nut/train/good/more", 1, "left out"),
        ("nut/train/good/round.png", 1, "left out"),
    ]
    messages = [left.message for left in dataset.left_out]
    assert "of images it leads to" in messages[1]
    assert "leads nowhere" in messages[0]
    assert "leads nowhere" in messages[2]


def test_products_have_the_name_of_their_link(tmp_path, write, monkeypatch):
    for product in ("bottle", "cable"):
        write(f"store/{product}/v1/train/good/1.png")
        write(f"pool/{product}/v1/1.png")
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "flat").mkdir(exist_ok=True)
        (tmp_path / "data" / product).symlink_to(tmp_path / f"store/{product}/v1")
        (tmp_path / "flat" / product).symlink_to(tmp_path / f"pool/{product}/v1")
    assert read(tmp_path / "data").products == ("bottle", "cable")
    assert read(tmp_path / "flat").products == ("bottle", "cable")
    assert read(tmp_path / "data/cable").products == ("cable",)
    assert read(tmp_path / "data/cable/../../cable/v1").products == ("v1",)
    assert read(tmp_path / "data/cable/../../cable/v1").left_out == ()
    assert read(tmp_path / "store/../data/cable").products == ("cable",)
    assert read(tmp_path / "data").left_out == ()
    monkeypatch.chdir(tmp_path / "data/cable")
    assert read(tmp_path / "flat/cable", layout="folder").products == ("cable",)


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_folders_that_may_not_be_read_are_named_and_the_others_read(mvtec_tree, write):
    secret = mvtec_tree / "secret"
    write("line/secret/deep/1.png")
    listed = mvtec_tree / "nut/train/good/closed"
    listed.mkdir()
    write("line/nut/train/good/closed/1.png")
    code = (
        "import sys, mintad.data as d; s = d.read(sys.argv[1]); "
        "print(len(s), *sorted(left.message for left in s.left_out), sep='\\n')"
    )
    words = [sys.executable, "-c", code, str(mvtec_tree)]
    if os.geteuid() == 0:  # root may read everything: give that right up
        if shutil.which("setpriv") is None:
            pytest.skip("root cannot give up its rights without setpriv")
        words = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", *words]
    secret.chmod(0)
    listed.chmod(0o444)  # its names may be read, its files not
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        words, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": source}, check=False
    )
    secret.chmod(0o755)
    listed.chmod(0o755)
    assert done.returncode == 0, done.stderr
    count, *messages = done.stdout.splitlines()
    assert count == "28"
    assert messages == [
        f"The folder {listed}/1.png may not be read.",
        f"The folder {secret} may not be read.",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_what_is_no_file_is_named(mvtec_tree):
    good = mvtec_tree / "nut/train/good"
    os.mkfifo(good / "pipe.png")
    (good / "folder.png").mkdir()
    (good / "device.png").symlink_to("/dev/zero")
    assert left_out(mvtec_tree) == [
        ("nut/train/good/device.png", 1, "left out"),
        ("nut/train/good/folder.png", 1, "left out"),
        ("nut/train/good/pipe.png", 1, "left out"),
    ]


def test_hidden_images_are_named(mvtec_tree, write):
    write("line/nut/train/good/.camera/1.png")
    write("line/nut/train/good/.2.png")
    write("line/nut/train/good/._3.png")  # macOS keeps such a file beside every other
    messages = [left.message for left in read(mvtec_tree).left_out]
    assert len(messages) == 2
    assert all("hidden" in message for message in messages)


def test_several_masks_of_an_image_are_united(tmp_path, write, write_mask):
    write("p/train/good/000.png")
    write("p/test/logical_anomalies/000.png")
    write("p/test/logical_anomalies/001.png")
    write_mask("p/ground_truth/logical_anomalies/000/000.png")
    other = np.zeros((12, 16), np.uint8)
    other[8:, 10:] = 240
    write("p/ground_truth/logical_anomalies/000/001.png", other)
    dataset = read(tmp_path)
    first, second = dataset.test
    assert first.mask == tmp_path / "p/ground_truth/logical_anomalies/000"
    assert second.mask is None
    expected = other > 0
    expected[:3, :4] = True
    assert np.array_equal(decode_mask(first.mask), expected)
    assert dataset.left_out == ()
    assert {problem.kind for problem in validate(dataset)} == {
        "defect without mask",
        "few good images",
    }
    write("p/ground_truth/logical_anomalies/000/002.png", other[:5])
    (problem,) = [p for p in validate(read(tmp_path)) if p.severity == "error" and "mask" in p.name]
    assert "differ in their sizes" in problem.message


def test_masks_that_no_image_has(mvtec_tree, write_mask):
    truth = mvtec_tree / "nut/ground_truth"
    shutil.copy(truth / "crack/000_mask.png", truth / "crack/000.png")
    shutil.copy(truth / "crack/000_mask.png", truth / "crack/000_mask.bmp")
    write_mask("line/nut/masks/1.png")
    write_mask("line/nut/masks/2.png")
    kinds = {left.kind: left.count for left in read(mvtec_tree).left_out}
    assert kinds == {"mask without image": 2}
    assert len(left_out(mvtec_tree)) == 2


def test_mvtec_ad2(tmp_path, write, write_mask):
    for number in range(2):
        write(f"vial/train/good/{number}_regular.png")
        write(f"vial/validation/good/{number}_regular.png")
        write(f"vial/test_public/good/{number}_regular.png")
        write(f"vial/test_public/bad/{number}_regular.png")
        write_mask(f"vial/test_public/ground_truth/bad/{number}_regular_mask.png")
        write(f"vial/test_private/{number}_regular.png")
        write(f"vial/test_private_mixed/{number}_mixed.png")
    for layout in ("auto", "mvtec-ad2"):
        dataset = read(tmp_path, layout=layout)
        assert [(s.split, s.label, s.defect_type) for s in dataset] == [
            *[("train", 0, "good")] * 2,
            *[("test", 1, "bad")] * 2,
            *[("test", 0, "good")] * 2,
        ]
        truth = tmp_path / "vial/test_public/ground_truth/bad"
        assert dataset.samples[3].mask == truth / "1_regular_mask.png"
        assert left_out(tmp_path) == [
            ("vial/test_private", 2, "left out"),
            ("vial/test_private_mixed", 2, "left out"),
            ("vial/validation", 2, "left out"),
        ]
    assert read(tmp_path / "vial").products == ("vial",)


def test_images_that_a_table_does_not_list(tmp_path, write):
    write("candle/Data/Images/Normal/0.JPG")
    write("candle/Data/Images/Normal/1.JPG")
    row = "candle,train,normal,candle\\Data\\Images\\Normal\\0.JPG,\n"
    (tmp_path / "1cls.csv").write_text("object,split,label,image,mask\n" + row)
    assert len(read(tmp_path)) == 1
    assert left_out(tmp_path) == [("candle/Data/Images/Normal/1.JPG", 1, "left out")]


def test_a_product_that_is_a_link_back_is_read_once_and_the_walk_ends(tmp_path, write):
    write("p/train/good/1.png")
    (tmp_path / "q").symlink_to(tmp_path / "p")
    (tmp_path / "p/train/good/r").symlink_to(tmp_path)
    dataset = read(tmp_path)
    assert dataset.products == ("p", "q")
    assert dataset.left_out == ()


def test_a_thousand_folders_deep(tmp_path, write):
    write("p/train/good/1.png")
    good, here = tmp_path / "p/train/good", Path.cwd()
    os.chdir(good)  # the whole path would be too long
    try:
        for _ in range(1200):
            Path("d").mkdir()
            os.chdir("d")
        shutil.copy(good / "1.png", "2.png")
        (left,) = read(tmp_path).left_out
        Path("2.png").unlink()
        for _ in range(1200):
            os.chdir("..")
            Path("d").rmdir()
    finally:
        os.chdir(here)
    assert left.path.is_relative_to(good / "d")
