"""Files and folders to JSON lines and heatmaps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mintad.data import Preprocessing
from mintad.errors import DataError, StorageError
from mintad.inspection import Inspection, Inspector
from mintad.inspection.overlays import overlay_name, write_overlay
from mintad.inspection.paths import inspect_images, list_images

Make = Callable[..., Inspector]
Red = Callable[[list[list[int]]], NDArray[np.uint8]]

KEYS = [
    *("image", "product", "product_given", "product_probability", "raw_score", "score"),
    *("error", "heatmap", "warning"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of two images, `b.png` and `a/c.JPG`."""
    root = tmp_path / "in"
    for name in ("b.png", "a/c.JPG"):
        draw(root / name)
    return root


def draw(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (7, 0, 0)).save(file)
    return file


def names(root: Path, *more: Path) -> list[str]:
    return [str(image.relative_to(root)) for image in list_images([root, *more]).images]


def test_a_folder_stands_for_all_images_below_it_in_order(place: Path) -> None:
    (place / "notes.txt").write_text("no image", encoding="utf-8")
    draw(place / "a-b" / "d.webp")
    draw(place / "z.png" / "e.png")
    assert names(place) == ["a/c.JPG", "a-b/d.webp", "b.png", "z.png/e.png"]
    listing = list_images([place / "b.png", place / "a", place / "notes.txt"])
    assert listing.images == [place / "b.png", place / "a" / "c.JPG", place / "notes.txt"]
    assert listing.passed_over == []


@pytest.mark.parametrize(
    "hidden",
    [
        *(".a.png", "._a.png", ".thumbnails/a.png", "@eaDir/a.png/thumb.png", "__MACOSX/a.png"),
        *("$RECYCLE.BIN/a.png", "a/.ipynb_checkpoints/a.png", "lost+found/a.png"),
    ],
)
def test_what_is_hidden_or_of_the_system_is_no_image(place: Path, hidden: str) -> None:
    draw(place / hidden)
    assert names(place) == ["a/c.JPG", "b.png"]


def test_links_are_followed_and_those_that_lead_nowhere_are_named(
    place: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "far" / "d.png")
    (place / "linked").symlink_to(tmp_path / "far")
    (place / "e.png").symlink_to(tmp_path / "far" / "d.png")
    (place / "f.png").symlink_to("gone.png")
    (place / "back").symlink_to(place)
    (place / "self").symlink_to("self")
    listing = list_images([place])
    assert [str(image.relative_to(place)) for image in listing.images] == [
        *("a/c.JPG", "b.png", "e.png", "linked/d.png")
    ]
    itself, back, nowhere = listing.passed_over
    assert back == f"The link {place / 'back'} leads to a folder that it lies in."
    assert nowhere == f"The link {place / 'f.png'} leads nowhere."
    assert itself.startswith(f"{place / 'self'} cannot be read")


def test_a_folder_that_cannot_be_read_is_named(place: Path) -> None:
    scandir = os.scandir

    def guarded(folder: Path):
        if Path(folder).name == "a":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    with patch.object(os, "scandir", guarded):
        listing = list_images([place])
        sentence = f"The folder {place / 'a'} cannot be read: Permission denied."
        assert listing.images == [place / "b.png"]
        assert listing.passed_over == [sentence]
        with pytest.raises(DataError, match=r"holds no images.*Permission denied"):
            list_images([place / "a"])


def test_folders_may_lie_as_deep_as_the_disk_allows(tmp_path: Path) -> None:
    deep = tmp_path / "a"
    deep.mkdir()
    folder = os.open(deep, os.O_RDONLY)
    try:
        for _ in range(1500):
            os.mkdir("a", dir_fd=folder)
            inner = os.open("a", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        draw(tmp_path / "b.png")
        assert list_images([tmp_path]).images == [tmp_path / "b.png"]
    finally:
        os.close(folder)
        subprocess.run(["rm", "-rf", deep], check=True)  # Python's own removal is recursive


def test_a_pipe_is_named_and_not_waited_for(place: Path) -> None:
    os.mkfifo(place / "pipe.png")
    listing = list_images([place])
    assert len(listing.images) == 2
    assert listing.passed_over == [f"{place / 'pipe.png'} is no regular file."]
    with pytest.raises(DataError, match="neither a file nor a folder"):
        list_images([place / "pipe.png"])


def test_pictures_of_other_formats_are_counted_and_named(place: Path) -> None:
    for name in ("c.heic", "a/d.HEIC", "e.gif"):
        (place / name).touch()
    shutil.copy(place / "b.png", place / "f.dat")
    (place / "readings.csv").touch()
    listing = list_images([place])
    assert len(listing.images) == 2
    assert listing.passed_over == []
    assert listing.warnings() == [
        "1 file with the ending .dat is not inspected.",
        "1 file with the ending .gif is not inspected.",
        "2 files with the ending .heic are not inspected.",
    ]


def test_what_does_not_exist_or_holds_no_image_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file or folder .*none"):
        list_images([place, tmp_path / "none"])
    with pytest.raises(DataError, match="cannot be read"):
        list_images([Path("a\0b")])
    (place / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no images"):
        list_images([place, place / "empty"])


def test_every_line_has_the_same_keys(red_inspector: Make, place: Path, tmp_path: Path) -> None:
    broken = place / "broken.png"
    broken.write_bytes(b"no image")
    images = list_images([place]).images
    without = list(inspect_images(red_inspector([0, 1]), images))
    drawn = list(inspect_images(red_inspector([0, 1]), images, out=tmp_path / "heat"))
    given = list(inspect_images(red_inspector([0, 1]), images, product="bolt"))
    for lines in (without, drawn, given):
        assert [list(line) for line in lines] == [KEYS] * 3
        json.dumps(lines, allow_nan=False)
        _, good, wrong = lines[0], lines[1], lines[2]
        assert (good["image"], wrong["image"]) == (str(place / "b.png"), str(broken))
        assert good["error"] is None
        assert good["raw_score"] == 16 * 7
        assert "broken.png is not a PNG" in wrong["error"]
        assert [wrong[key] for key in KEYS if key not in ("image", "error")] == [None] * 7
    assert without[1]["heatmap"] is None
    assert drawn[1]["heatmap"] == str(tmp_path / "heat" / overlay_name(place / "b.png"))
    assert (given[1]["product"], given[1]["product_given"]) == ("bolt", True)


def test_the_second_inspection_does_not_inspect_the_heatmaps_of_the_first(
    red_inspector: Make, place: Path
) -> None:
    for out in (place, place / "heatmaps", place / "a"):
        images = list_images([place]).images
        assert len(images) == 2
        list(inspect_images(red_inspector(), images, out=out))
    assert len(list(place.rglob("*_heatmap.png"))) == 6
    draw(place / "mine_heatmap.png")
    assert names(place) == ["a/c.JPG", "b.png", "mine_heatmap.png"]
    with pytest.raises(DataError, match="holds no images"):
        list_images([place / "heatmaps"])


def test_a_file_that_is_not_ours_is_not_overwritten(
    red_inspector: Make, place: Path, tmp_path: Path
) -> None:
    images = list_images([place]).images
    mine = draw(tmp_path / "heat" / overlay_name(place / "b.png"))
    before = mine.read_bytes()
    first, second = inspect_images(red_inspector(), images, out=tmp_path / "heat")
    assert first["warning"] is None
    assert f"{mine} is not a heatmap of {place / 'b.png'}" in second["warning"]
    assert (second["heatmap"], second["error"], second["raw_score"]) == (None, None, 112)
    assert mine.read_bytes() == before
    other = tmp_path / "heat" / overlay_name(place / "a" / "c.JPG")
    shutil.move(other, mine)  # ours, but of another image
    assert list(inspect_images(red_inspector(), images, out=tmp_path / "heat"))[1]["warning"]


def test_a_heatmap_that_cannot_be_written_is_a_warning_of_its_line(
    red_inspector: Make, place: Path, tmp_path: Path
) -> None:
    images = list_images([place]).images
    (tmp_path / "heat" / overlay_name(images[0])).mkdir(parents=True)
    lines = list(inspect_images(red_inspector(), images, out=tmp_path / "heat"))
    assert [line["warning"] is None for line in lines] == [False, True]
    for error in (MemoryError(), OSError(28, "No space left on device")):
        with patch("mintad.inspection.overlays.write_bytes", side_effect=error):
            lines = list(inspect_images(red_inspector(), images, out=tmp_path / "new"))
        assert lines[1]["raw_score"] == 112
        assert type(error).__name__ in lines[1]["warning"] or "No space" in lines[1]["warning"]
    lines = []
    for line in inspect_images(red_inspector(batch_size=9), images, out=tmp_path / "late"):
        images[1].unlink(missing_ok=True)  # after it was inspected, before it is drawn
        lines.append(line)
    assert "does not exist" in lines[1]["warning"]
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        list(inspect_images(red_inspector(), images[:1], out=tmp_path / "file"))


LONG = "検査画像" * 20


@pytest.mark.parametrize("stem", [LONG, "a" * 250, "é" * 120, "x" * 79 + "é"])
def test_the_name_of_a_heatmap_fits_every_disk(stem: str) -> None:
    name = overlay_name(Path(f"/in/{stem}.png"))
    assert len(name.encode()) <= 110
    assert name.startswith(stem[:20])
    assert name != overlay_name(Path(f"/in/{stem[:-1]}.png"))


def test_the_name_of_a_heatmap_is_told_by_its_image_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert overlay_name(Path("a.png")) == overlay_name(tmp_path / "a.png")
    others = {
        overlay_name(tmp_path / name)
        for name in ("a.png", "a.jpg", "A.png", "b/a.png", "a/b.png", "a_b.png")
    }
    assert len({name.lower() for name in others}) == 6
    assert overlay_name(Path('/in/a:b?"c\udcff.png')).startswith("a_b__c__")


def test_a_heatmap_is_drawn_to_the_pixel(tmp_path: Path) -> None:
    """Scores of -1 and below leave the picture, 4 and above take the lightest colour, 82% of it."""
    file = tmp_path / "a.png"
    Image.new("RGB", (4, 2), (100, 100, 100)).save(file)
    padded = np.full((4, 4), 99, np.float32)
    padded[1:3] = [[-9, -1, 1.5, 1.5], [4, 40, np.nan, 4]]
    inspection = Inspection("a", anomaly_map=padded, size=(2, 4), box=(1, 0, 2, 4))
    place = write_overlay(inspection, file, tmp_path, Preprocessing())
    untouched, middle, lightest = [100, 100, 100], [141, 91, 93], [226, 215, 113]
    with Image.open(place) as drawn:
        assert np.asarray(drawn).tolist() == [
            [untouched, untouched, middle, middle],
            [lightest, lightest, lightest, lightest],
        ]
