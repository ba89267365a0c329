from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from forms import png
from PIL import Image

from mintad.data import MemoryImage, Problem, Sample, read, validate
from mintad.data.sample import Dataset


def found(root: Path, **options) -> list[tuple[str, str, str]]:
    """Severity, kind and name (relative to `root`) of every problem."""
    return [
        (problem.severity, problem.kind, problem.name.removeprefix(f"{root}/"))
        for problem in validate(read(root), **options)
    ]


def test_a_clean_tree_has_no_problems(mvtec_tree):
    assert validate(read(mvtec_tree)) == []
    assert validate(read(mvtec_tree), workers=0) == []


def test_unreadable_files_are_told_all_at_once(mvtec_tree, write):
    good = mvtec_tree / "nut/train/good"
    (good / "000.png").write_bytes(b"")
    content = (good / "001.png").read_bytes()
    (good / "001.png").write_bytes(content[: len(content) // 2])
    (good / "002.png").write_text("a letter")
    (mvtec_tree / "nut/ground_truth/crack/000_mask.png").write_bytes(b"")
    dataset = read(mvtec_tree)
    (mvtec_tree / "bolt/train/good/004.png").unlink()
    problems = validate(dataset)
    assert [(problem.severity, problem.kind) for problem in problems] == [
        ("error", "empty"),
        ("error", "empty"),
        ("error", "missing"),
        ("error", "truncated"),
        ("error", "unreadable"),
        ("warning", "few good images"),
    ]
    names = [Path(problem.name).relative_to(mvtec_tree).as_posix() for problem in problems[:5]]
    assert names == [
        "nut/ground_truth/crack/000_mask.png",
        "nut/train/good/000.png",
        "bolt/train/good/004.png",
        "nut/train/good/001.png",
        "nut/train/good/002.png",
    ]
    for problem in problems:
        assert problem.name in problem.message
        assert problem.mend.endswith(".")
    assert validate(dataset, workers=0) == problems


def test_the_pixel_limit(mvtec_tree):
    assert {kind for _, kind, _ in found(mvtec_tree, max_pixels=100)} == {
        "too large",
        "no good images",
    }


def test_duplicates_within_and_across(mvtec_tree):
    nut = mvtec_tree / "nut"
    shutil.copy(nut / "train/good/000.png", nut / "train/good/copy.png")
    shutil.copy(nut / "train/good/001.png", nut / "test/good/copy.png")
    shutil.copy(nut / "train/good/002.png", mvtec_tree / "bolt/train/good/copy.png")
    shutil.copy(nut / "test/good/000.png", nut / "test/crack/000.png")
    assert found(mvtec_tree) == [
        ("error", "duplicate in train and test", "nut/train/good/001.png"),
        ("error", "duplicate in two products", "bolt/train/good/copy.png"),
        ("error", "duplicate with two labels", "nut/test/crack/000.png"),
        ("warning", "duplicate", "nut/train/good/000.png"),
    ]
    messages = {problem.kind: problem.message for problem in validate(read(mvtec_tree))}
    assert "copy.png" in messages["duplicate"]
    assert "bolt and nut" in messages["duplicate in two products"]


def test_duplicates_are_found_through_another_encoding(mvtec_tree, write, paint):
    write("line/nut/train/good/a.bmp", paint(77))
    write("line/nut/train/good/b.tif", paint(77))
    assert found(mvtec_tree) == [("warning", "duplicate", "nut/train/good/a.bmp")]


def test_many_copies_are_one_problem(mvtec_tree):
    good = mvtec_tree / "nut/train/good"
    for number in range(8):
        shutil.copy(good / "000.png", good / f"copy{number}.png")
    (problem,) = validate(read(mvtec_tree))
    assert "and 5 more" in problem.message


def test_masks(mvtec_tree, write_mask, write):
    truth = "line/nut/ground_truth"
    (mvtec_tree / "nut/ground_truth/crack/000_mask.png").unlink()
    write_mask(f"{truth}/crack/001_mask.png", (16, 12))
    write_mask(f"{truth}/crack/999_mask.png")
    write_mask(f"{truth}/scratch/000_mask.png")
    write("line/nut/test/crack/002.png")
    write_mask(f"{truth}/crack/002_mask.png", value=0)
    write_mask(f"{truth}/good/000_mask.png")
    write_mask(f"{truth}/good/001_mask.png", value=0)
    assert found(mvtec_tree) == [
        ("error", "empty mask", "nut/ground_truth/crack/002_mask.png"),
        ("error", "mask of another size", "nut/ground_truth/crack/001_mask.png"),
        ("error", "mask on good image", "nut/ground_truth/good/000_mask.png"),
        ("warning", "defect without mask", "nut/test/crack/000.png"),
        ("warning", "mask without image", "nut/ground_truth/crack/999_mask.png"),
        ("warning", "mask without image", "nut/ground_truth/scratch/000_mask.png"),
    ]
    (sizes,) = [
        problem for problem in validate(read(mvtec_tree)) if problem.kind == "mask of another size"
    ]
    assert "12 x 16 pixels" in sizes.message
    assert "16 x 12 pixels" in sizes.message


def test_no_masks_at_all_are_no_problem(mvtec_tree):
    shutil.rmtree(mvtec_tree / "nut/ground_truth")
    assert found(mvtec_tree) == []


def test_a_part_of_a_data_set_does_not_miss_the_rest(mvtec_tree):
    assert validate(read(mvtec_tree).train) == []


def test_masks_of_one_product_given_as_root(mvtec_tree, write_mask):
    write_mask("line/nut/ground_truth/crack/999_mask.png")
    (problem,) = validate(read(mvtec_tree / "nut"))
    assert problem.kind == "mask without image"


def test_too_few_good_images(mvtec_tree, write):
    for number in range(1, 10):
        (mvtec_tree / f"nut/train/good/{number:03d}.png").unlink()
    for number in range(7, 10):
        (mvtec_tree / f"bolt/train/good/{number:03d}.png").unlink()
    write("line/washer/test/good/000.png")
    assert found(mvtec_tree) == [
        ("error", "few good images", "nut"),
        ("error", "no good images", "washer"),
        ("warning", "few good images", "bolt"),
    ]


def test_a_set_for_evaluation_is_a_warning(mvtec_tree):
    for product in ("nut", "bolt"):
        shutil.rmtree(mvtec_tree / product / "train")
    assert found(mvtec_tree) == [
        ("warning", "no good images", "bolt"),
        ("warning", "no good images", "nut"),
    ]


def test_unusual_sizes(mvtec_tree, write, paint):
    write("line/nut/train/good/large.png", paint(1, 24, 32))
    write("line/nut/train/good/near.png", paint(2, 13, 17))
    write("line/nut/train/good/turned.png", paint(3, 19, 12))
    assert found(mvtec_tree) == [
        ("warning", "unusual size", "nut/train/good/large.png"),
        ("warning", "unusual size", "nut/train/good/turned.png"),
    ]


def test_a_product_of_many_sizes_is_no_problem(tmp_path, write, paint):
    rng = np.random.default_rng(0)
    for number in range(30):
        height, width = rng.integers(20, 70, 2)
        write(f"tile/{number}.png", paint(number, int(height), int(width)))
    assert found(tmp_path) == []
    write("tile/huge.png", paint(99, 900, 40))
    assert found(tmp_path) == [("warning", "unusual size", "tile/huge.png")]


def test_mixed_grey_and_colour(mvtec_tree, write, paint):
    write("line/nut/train/good/grey.png", paint(1)[..., 0])
    assert found(mvtec_tree) == [("warning", "mixed grey and colour", "nut")]
    (problem,) = validate(read(mvtec_tree))
    assert "1 grey and 14 colour" in problem.message
    assert "grey.png" in problem.message


def test_grey_stored_as_colour_is_grey(tmp_path, write, paint):
    for number in range(10):
        grey = paint(number)[..., 0]
        write(f"nut/{number}.png", grey if number % 2 else np.repeat(grey[..., None], 3, axis=2))
    assert found(tmp_path) == []


def test_label_contradictions(paint):
    def sample(number: int, split: str, label: int, defect_type: str | None) -> Sample:
        image = MemoryImage(f"image {number}", paint(number))
        return Sample("nut", split, image, label, defect_type)  # type: ignore[arg-type]

    samples = [sample(number, "train", 0, "good") for number in range(8)]
    samples += [
        sample(10, "train", 1, "crack"),
        sample(11, "test", 0, "crack"),
        sample(12, "test", 1, "good"),
        sample(13, "test", 1, "crack"),
        sample(14, "test", 0, None),
        sample(15, "test", 1, None),
    ]
    problems = validate(Dataset(tuple(samples)))
    assert [(problem.kind, problem.name) for problem in problems] == [
        ("label contradiction", f"image {number}") for number in (10, 11, 12)
    ]


def test_progress_counts_every_sample(mvtec_tree):
    dataset = read(mvtec_tree)
    calls: list[tuple[str, int, int]] = []
    validate(dataset, progress=lambda *call: calls.append(call))
    total = len(dataset)
    assert calls == [("images", done, total) for done in range(1, total + 1)]


def test_a_problem_reads_as_a_sentence():
    problem = Problem("error", "empty", "a.png", "The image a.png is empty.", "Copy it again.")
    assert str(problem) == "error: The image a.png is empty. Copy it again."
    with pytest.raises(AttributeError):
        problem.name = "b.png"  # type: ignore[misc]


def deep_images(root: Path, brightest: int, colour: bool = False) -> Path:
    for number in range(8):
        rng = np.random.default_rng(number)
        values = rng.integers(0, brightest + 1, (12, 16, 3) if colour else (12, 16))
        values.flat[0] = brightest
        place = root / f"nut/{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(values, "rgb" if colour else "grey", 16))
    return root


@pytest.mark.parametrize(
    ("brightest", "depth"), [(1023, 10), (1024, 12), (4095, 12), (4096, 14), (16383, 14)]
)
@pytest.mark.parametrize("colour", [False, True])
def test_sixteen_bits_of_which_the_upper_ones_are_unused(tmp_path, brightest, depth, colour):
    dataset = read(deep_images(tmp_path, brightest, colour))
    (problem,) = validate(dataset)
    assert (problem.severity, problem.kind, problem.name) == ("warning", "unused bits", "nut")
    assert f"The 8 16-bit images of nut never exceed {brightest}" in problem.message
    assert f"--set bit_depth={depth}" in problem.mend
    assert validate(dataset, bit_depth=depth) == []


def test_sixteen_bits_in_use_are_no_problem(tmp_path):
    dataset = read(deep_images(tmp_path, 16384))
    assert validate(dataset) == []
    (problem,) = validate(dataset, bit_depth=12)
    assert problem.kind == "more bits than said"
    assert "reaches 16384" in problem.message


def test_several_pages_and_ignored_alpha(tmp_path, paint):
    (tmp_path / "nut").mkdir()
    for number in range(8):
        first, second = (Image.fromarray(paint(seed)) for seed in (number, 100 + number))
        if number < 3:
            options = {"save_all": True, "append_images": [second]}
            first.save(tmp_path / f"nut/{number}.tif", **options)
        else:
            first.putalpha(0 if number < 5 else 255)
            first.save(tmp_path / f"nut/{number}.png")
    problems = {problem.kind: problem.message for problem in validate(read(tmp_path))}
    assert problems.keys() == {"several pages", "transparent everywhere"}
    assert "Of 3 images of nut only the first" in problems["several pages"]
    assert "2 images of nut with an alpha of 0" in problems["transparent everywhere"]
    assert "3.png and" in problems["transparent everywhere"]


def test_inverted_masks_are_counted(mvtec_tree):
    for product, count in (("nut", 2), ("bolt", 1)):
        for number in range(count):
            place = mvtec_tree / f"{product}/ground_truth/crack/{number:03d}_mask.png"
            Image.fromarray(255 - np.asarray(Image.open(place))).save(place)
    nut, bolt = sorted(validate(read(mvtec_tree)), key=lambda p: p.name, reverse=True)
    assert nut.kind == bolt.kind == "mask of most of the picture"
    assert "2 of 2 masks of nut" in nut.message
    assert "94%" in nut.message
    assert "1 of 2 masks of bolt" in bolt.message
    assert "000_mask.png" in bolt.message


def test_a_large_defect_inside_the_picture_is_no_inverted_mask(mvtec_tree, write):
    mask = np.zeros((12, 16), np.uint8)
    mask[1:-1, 1:-1] = 255
    write("line/nut/ground_truth/crack/000_mask.png", mask)
    assert validate(read(mvtec_tree)) == []
