from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mintad.demo import Source, demo_sources, make_demo_data
from mintad.demo import data as demo_data
from mintad.demo.data import PATCH, STAMP, TEXTURES, patch_positions
from mintad.demo.painting import DEFECTS, paint
from mintad.errors import DataError, MissingExtraError

pytest.importorskip("elpv_dataset")
skimage_data = pytest.importorskip("skimage.data")

SOLAR = ("solar_mono", "solar_poly")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "data"
    make_demo_data(out)
    return out


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def position(path: Path) -> tuple[int, int]:
    row, column = path.stem.removesuffix("_mask").split("_")
    return int(row[1:]), int(column[1:])


@cache
def photograph(product: str) -> np.ndarray:
    return getattr(skimage_data, product)()


def source_patch(product: str, path: Path) -> np.ndarray:
    row, column = position(path)
    return photograph(product)[row : row + PATCH, column : column + PATCH]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def covered(folder: Path) -> np.ndarray:
    """Which pixels of a photograph the patches below a folder show."""
    seen = np.zeros((512, 512), bool)
    for path in folder.rglob("*.png"):
        row, column = position(path)
        seen[row : row + PATCH, column : column + PATCH] = True
    return seen


@pytest.mark.parametrize("product", SOLAR)
def test_solar_cells_have_labels_per_image_only(demo: Path, product: str) -> None:
    counts = {
        folder: len(list((demo / product / folder).glob("*.png")))
        for folder in ("train/good", "test/good", "test/defective")
    }
    assert counts == {"train/good": 200, "test/good": 60, "test/defective": 60}
    assert not (demo / product / "ground_truth").exists()


def test_solar_cells_are_the_published_files_with_certain_labels(demo: Path) -> None:
    import elpv_dataset

    published = Path(elpv_dataset.__file__).parent / "data"
    rows = [line.split() for line in (published / "labels.csv").read_text().splitlines()]
    label = {Path(path).name: (float(odds), kind) for path, odds, kind in rows}
    names: list[str] = []
    for product in SOLAR:
        for path in (demo / product).rglob("*.png"):
            wanted = 1.0 if path.parent.name == "defective" else 0.0
            assert label[path.name] == (wanted, product.removeprefix("solar_"))
            assert path.read_bytes() == (published / "images" / path.name).read_bytes()
            names.append(path.name)
    assert len(names) == len(set(names)) == 2 * 320


@pytest.mark.parametrize("product", TEXTURES)
def test_textures_have_good_patches_and_every_defect(demo: Path, product: str) -> None:
    root = demo / product
    assert len(list((root / "train/good").iterdir())) == demo_data.TEXTURE_TRAIN
    assert len(list((root / "test/good").iterdir())) == 30
    assert {path.name for path in (root / "test").iterdir()} == {"good", *DEFECTS}
    for defect in DEFECTS:
        images = sorted((root / "test" / defect).iterdir())
        masks = sorted((root / "ground_truth" / defect).iterdir())
        assert len(images) == 10
        assert [f"{path.stem}_mask.png" for path in images] == [path.name for path in masks]


@pytest.mark.parametrize("product", TEXTURES)
def test_train_and_test_patches_share_no_pixel(demo: Path, product: str) -> None:
    train, test = covered(demo / product / "train"), covered(demo / product / "test")
    assert train.any()
    assert test.any()
    assert not (train & test).any()


def test_all_positions_of_the_two_splits_are_disjoint() -> None:
    for shape in ((512, 512), (400, 600)):
        seen = {split: np.zeros(shape, int) for split in ("train", "test")}
        for split, count in seen.items():
            for row, column in patch_positions(shape, split):
                count[row : row + PATCH, column : column + PATCH] += 1
        assert not (seen["train"] * seen["test"]).any()


@pytest.mark.parametrize("product", TEXTURES)
def test_good_patches_are_cut_from_the_photograph(demo: Path, product: str) -> None:
    for split in ("train", "test"):
        for path in (demo / product / split / "good").iterdir():
            np.testing.assert_array_equal(pixels(path), source_patch(product, path))


@pytest.mark.parametrize("product", TEXTURES)
def test_masks_are_exact(demo: Path, product: str) -> None:
    for path in (demo / product / "ground_truth").rglob("*.png"):
        mask = pixels(path)
        assert set(np.unique(mask)) == {0, 255}
        name = f"{path.stem.removesuffix('_mask')}.png"
        painted = pixels(demo / product / "test" / path.parent.name / name)
        changed = painted != source_patch(product, path)
        inside = mask == 255
        assert not changed[~inside].any()
        assert changed[inside].mean() > 0.9
        assert 20 < inside.sum() < 0.3 * inside.size


@pytest.mark.parametrize("defect", DEFECTS)
def test_paint_is_visible_on_flat_ground(defect: str) -> None:
    patch = np.full((PATCH, PATCH), 120, np.uint8)
    for seed in range(10):
        copy, mask = paint(patch, defect, np.random.default_rng(seed))
        difference = np.abs(copy.astype(int) - 120)
        assert difference.max() >= 25
        assert (difference[mask] >= 1).mean() > 0.95
        assert not difference[~mask].any()
        assert (patch == 120).all()


def test_the_same_seed_gives_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    make_demo_data(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(demo)


def test_another_seed_gives_another_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data, "SOLAR", {})
    monkeypatch.setattr(demo_data, "TEXTURES", {"brick": 1.0})
    for seed in (0, 1):
        make_demo_data(tmp_path / str(seed), seed=seed)
    first, second = contents(tmp_path / "0"), contents(tmp_path / "1")
    assert json.loads(second[STAMP])["seed"] == 1
    assert set(first) != set(second)


def test_a_finished_demo_is_not_written_again(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(root: Path, seed: int) -> None:
        raise AssertionError(f"{root} was written again")

    monkeypatch.setattr(demo_data, "_write", refuse)
    assert make_demo_data(demo) == demo_sources()


def write_one_file(root: Path, seed: int) -> None:
    (root / "image").write_text(str(seed))


@pytest.mark.parametrize("change", ["edit", "remove", "add", "stamp", "seed"])
def test_a_changed_demo_is_replaced_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(demo_data, "_write", write_one_file)
    out = tmp_path / "data"
    make_demo_data(out, seed=3 if change == "seed" else 0)
    if change == "edit":
        (out / "image").write_text("other")
    elif change == "remove":
        (out / "image").unlink()
    elif change == "add":
        (out / "more").write_text("0")
    elif change == "stamp":
        (out / STAMP).write_text("{")
    make_demo_data(out)
    assert (out / "image").read_text() == "0"
    assert {path.name for path in out.iterdir()} == {"image", STAMP}
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data, "_write", write_one_file)
    out = tmp_path / "data"
    make_demo_data(out)

    def fail(root: Path, seed: int) -> None:
        write_one_file(root, seed)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo_data, "_write", fail)
    with pytest.raises(KeyboardInterrupt):
        make_demo_data(out, seed=1)
    assert (out / "image").read_text() == "0"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="already holds"):
        make_demo_data(tmp_path)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise demo_data.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(demo_data.metadata, "version", absent)
    with pytest.raises(MissingExtraError, match=r"mintad\[demo\]"):
        make_demo_data(tmp_path / "data")


def test_every_product_has_a_licence_and_says_where_its_defects_come_from(demo: Path) -> None:
    sources = {source.name: source for source in demo_sources()}
    assert set(sources) == {path.name for path in demo.iterdir() if path.is_dir()}
    for product in SOLAR:
        assert sources[product].licence == "CC BY-NC-SA 4.0"
        assert sources[product].defects == "real"
        assert "left out" in sources[product].what
    for product in TEXTURES:
        assert sources[product].licence.startswith("CC0")
        assert sources[product].defects == "painted"
        assert "painted" in sources[product].what
    text = (demo / "LICENCES.md").read_text()
    assert all(part in text for source in sources.values() for part in told(source))


def told(source: Source) -> tuple[str, ...]:
    return (source.name, source.what, source.licence, source.citation, source.url)
