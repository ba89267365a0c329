"""A name does not decide what an image is."""

from __future__ import annotations

import shlex

import pytest

from mintad.data import read, validate
from mintad.data.layouts.naming import sounds_bad, sounds_good, sounds_like_masks
from mintad.errors import DataError

GOOD = (
    "OK", "Good", "GOOD", "normal", "gut", "Gut", "i.O.", "IO", "pass", "passed", "OK-Teile",
    "good_parts", "GoodParts", "ok2", "01_good", "no_defect", "defect-free", "ohne_fehler",
    "bueno", "正常", "良品", "ＯＫ", "dobrý", "conforme", "정상", "хорошо",
)  # fmt: skip
BAD = ("NG", "bad", "defect", "schlecht", "NOK", "n.i.O.", "not good", "not_ok", "不良", "брак")
NEITHER = ("scratch", "crack", "bent", "bottle", "broken_ok", "color", "", "2024-01-05", "book")


def test_what_names_sound_like():
    assert [name for name in GOOD if not sounds_good(name) or sounds_bad(name)] == []
    assert [name for name in BAD if not sounds_bad(name) or sounds_good(name)] == []
    assert [name for name in NEITHER if sounds_bad(name) or sounds_good(name)] == []
    assert all(map(sounds_like_masks, ("masks", "Mask", "ground_truth", "GroundTruth", "gt")))
    assert not sounds_like_masks("gasket")


@pytest.mark.parametrize("name", ["OK", "Good", "normal", "gut", "i.O.", "good_night", "Pass 1"])
def test_a_test_folder_that_sounds_good_is_asked_about(tmp_path, write, name):
    write("p/train/good/1.png")
    write(f"p/test/{name}/1.png")
    write("p/test/scratch/2.png")
    with pytest.raises(DataError, match="sounds like good images") as caught:
        read(tmp_path)
    assert f"p/test/{name}" in caught.value.problem
    assert shlex.split(caught.value.mend.partition("--good")[2])[0] == name
    assert shlex.split(caught.value.mend.partition("--bad")[2])[0] == name
    asked = [(s.label, s.defect_type) for s in read(tmp_path, good=[name]).test]
    assert sorted(asked) == [(0, "good"), (1, "scratch")]
    asked = [(s.label, s.defect_type) for s in read(tmp_path, bad=[name]).test]
    assert sorted(asked) == sorted([(1, name), (1, "scratch")])


def test_btad_with_a_second_name_for_good(tmp_path, write):
    write("01/train/ok/1.png")
    write("01/test/ok/2.png")
    write("01/test/OK/3.png")
    with pytest.raises(DataError, match="sounds like good images"):
        read(tmp_path)
    assert [s.label for s in read(tmp_path, good=["OK"])] == [0, 0, 0]


def test_a_product_of_which_good_has_another_name(tmp_path, write):
    write("p/train/OK/1.png")
    write("p/test/OK/2.png")
    write("p/test/NG/3.png")
    with pytest.raises(DataError, match="outside of train/good") as caught:
        read(tmp_path)
    assert "--good OK" in caught.value.mend
    dataset = read(tmp_path, good=["OK"])
    assert [(s.split, s.label, s.defect_type) for s in dataset] == [
        ("train", 0, "good"),
        ("test", 1, "NG"),
        ("test", 0, "good"),
    ]


def test_a_name_that_no_folder_has_is_an_error(mvtec_tree):
    for option in ("good", "bad"):
        with pytest.raises(DataError, match="called okey") as caught:
            read(mvtec_tree, **{option: ["okey"]})
        assert f"--{option} okey" in caught.value.mend


def test_ground_truth_inside_test_is_no_defect(tmp_path, write, write_mask):
    write("p/train/good/1.png")
    write("p/test/crack/2.png")
    write_mask("p/test/ground_truth/crack/2_mask.png")
    (sample,) = read(tmp_path).test
    assert sample.defect_type == "crack"
    assert sample.mask == tmp_path / "p/test/ground_truth/crack/2_mask.png"


@pytest.mark.parametrize("name", ["NG", "bad", "defect", "schlecht", "masks", "ground_truth"])
def test_a_product_that_sounds_like_defects_or_masks_is_a_warning(tmp_path, write, name):
    for number in range(8):
        write(f"good/{number}.png")
        write(f"{name}/{number}.png")
    (problem,) = [p for p in validate(read(tmp_path)) if p.kind == "odd product"]
    assert problem.name == name
    assert problem.severity == "warning"


def test_a_product_with_test_images_may_be_called_as_it_likes(tmp_path, write):
    for number in range(8):
        write(f"ng/train/good/{number}.png")
    write("ng/test/crack/1.png")
    assert [p.kind for p in validate(read(tmp_path))] == []


def test_one_mask_for_two_images_is_a_warning(tmp_path, write, write_mask):
    for number in range(8):
        write(f"p/train/good/{number}.png")
    write("p/test/crack/1.png")
    write("p/test/crack/1.bmp")
    write_mask("p/ground_truth/crack/1_mask.png")
    (problem,) = validate(read(tmp_path))
    assert problem.kind == "mask of several images"
    assert "1.bmp" in problem.message


@pytest.mark.parametrize("name", ["masks", "ground truth", "gt"])
def test_a_test_folder_that_sounds_like_masks_is_asked_about(tmp_path, write, name):
    write("p/train/good/1.png")
    write("p/test/crack/1.png")
    write(f"p/test/{name}/1.png")
    with pytest.raises(DataError, match="sounds like masks") as caught:
        read(tmp_path)
    assert shlex.split(caught.value.mend.partition("--bad")[2])[0] == name
    assert len(read(tmp_path, bad=[name]).test) == 2


def test_masks_beside_their_images_are_a_warning(tmp_path, write, write_mask):
    for number in range(8):
        write(f"p/train/good/{number}.png")
    write("p/test/crack/1.png")
    write_mask("p/test/crack/1_mask.png")
    write_mask("p/test/crack/2_mask.png")  # there is no 2.png
    write_mask("p/test/crack/mask.png")
    (problem,) = [p for p in validate(read(tmp_path)) if p.kind == "mask among images"]
    assert "1 image of p" in problem.message
    assert "1_mask.png" in problem.message


def test_products_that_differ_only_in_spelling_are_a_warning(tmp_path, write):
    for number in range(8):
        write(f"nut/{number}.png")
        write(f"Nut/{number}.png")
    (problem,) = [p for p in validate(read(tmp_path)) if p.kind == "odd product"]
    assert problem.message.startswith("The products Nut and nut differ only")
