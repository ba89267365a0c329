"""The images of `mintad demo`: five products from two packages on PyPI, in the MVTec layout.

The solar cells are real, their defects too, and their labels are per image. The textures are
patches of three photographs; their defects are painted on test patches, so their masks are exact.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mintad.demo.painting import DEFECTS, Grey, paint
from mintad.errors import DataError, MissingExtraError

FORMAT = 1  # to be raised whenever other images are written
STAMP = ".mintad-demo.json"
SOLAR = {"solar_mono": "mono", "solar_poly": "poly"}
# Each texture with the boldness of its painted defects: lively ground hides more.
TEXTURES = {"brick": 0.7, "grass": 2.7, "gravel": 2.2}

SOLAR_TRAIN, SOLAR_GOOD, SOLAR_DEFECTIVE = 200, 60, 60
TEXTURE_TRAIN, TEXTURE_GOOD, TEXTURE_DEFECTIVE = 120, 30, 30

PATCH = 128  # pixels, both sides of a texture patch
STEP = 16  # pixels between the positions a patch may have
TEST_COLUMNS = (176, 336)  # the band of a photograph in which test patches lie


@dataclass(frozen=True, slots=True)
class Source:
    """Where the images of one product come from, and on what terms."""

    name: str
    what: str
    defects: Literal["real", "painted"]
    licence: str
    citation: str
    url: str


def demo_sources() -> list[Source]:
    """The five products of the demo, in the order in which they are written."""
    return [*(_solar_source(name) for name in SOLAR), *(_texture_source(name) for name in TEXTURES)]


def make_demo_data(out: Path, seed: int = 0) -> list[Source]:
    """Write the demo's five products to the folder `out`, one MVTec tree each.

    The same seed gives the same bytes. A folder that already holds exactly this demo stays
    untouched, another demo is replaced as a whole. Raises `MissingExtraError` where the packages
    with the images are missing, and `DataError` where `out` holds anything but a demo.
    """
    out = Path(out).absolute()
    try:
        versions = {name: metadata.version(name) for name in ("elpv-dataset", "scikit-image")}
    except metadata.PackageNotFoundError as error:
        raise MissingExtraError("mintad demo", "demo") from error
    stamp: dict[str, Any] = {"format": FORMAT, "seed": seed, **versions}
    if _holds(out, stamp):
        return demo_sources()
    if out.exists() and not _may_replace(out):
        raise DataError(
            f"{out} already holds something that is not mintad's demo.",
            "Name a new or an empty folder for the demo.",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        fresh = work / "new"
        fresh.mkdir()
        _write(fresh, seed)
        stamp["digest"] = _tree_digest(fresh)
        (fresh / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
        if out.exists():
            out.replace(work / "old")
        fresh.replace(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return demo_sources()


def patch_positions(shape: tuple[int, int], split: Literal["train", "test"]) -> NDArray[np.int64]:
    """Rows and columns of the top left corners that patches of a split may have, `(N, 2)`.

    No pixel of a photograph of `shape` (rows, columns) is in patches of both splits: test patches
    lie inside `TEST_COLUMNS`, training patches on either side, where the view is the same.
    """
    height, width = shape
    left, right = TEST_COLUMNS
    spans = ((left, right),) if split == "test" else ((0, left), (right, width))
    rows = np.arange(0, height - PATCH + 1, STEP)
    columns = np.concatenate([np.arange(a, b - PATCH + 1, STEP) for a, b in spans])
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def _write(root: Path, seed: int) -> None:
    for number, name in enumerate(SOLAR):
        _write_solar(root / name, SOLAR[name], np.random.default_rng([seed, number]))
    for number, name in enumerate(TEXTURES, start=len(SOLAR)):
        _write_texture(root / name, _photograph(name), np.random.default_rng([seed, number]))
    lines = ["# Where these images come from", ""]
    for source in demo_sources():
        lines += [f"## {source.name}", "", source.what, "", f"Licence: {source.licence}", ""]
        lines += [source.citation, "", source.url, ""]
    (root / "LICENCES.md").write_text("\n".join(lines), encoding="utf-8")


def _write_solar(root: Path, kind: str, rng: np.random.Generator) -> None:
    """Copy cells as published: certain labels only, drawn without looking at the images."""
    published = resources.files("elpv_dataset") / "data"
    lines = (published / "labels.csv").read_text(encoding="utf-8").splitlines()
    cells = [(path, float(odds)) for path, odds, type_ in map(str.split, lines) if type_ == kind]
    good = rng.permutation([path for path, odds in cells if odds == 0])
    defective = rng.permutation([path for path, odds in cells if odds == 1])
    chosen = {
        "train/good": good[:SOLAR_TRAIN],
        "test/good": good[SOLAR_TRAIN : SOLAR_TRAIN + SOLAR_GOOD],
        "test/defective": defective[:SOLAR_DEFECTIVE],
    }
    for folder, paths in chosen.items():
        (root / folder).mkdir(parents=True)
        for path in sorted(map(str, paths)):
            content = published.joinpath(path).read_bytes()
            (root / folder / Path(path).name).write_bytes(content)


def _write_texture(root: Path, photograph: Grey, rng: np.random.Generator) -> None:
    """Cut patches, named by their position, and paint a defect on some of the test patches."""
    train = rng.permutation(patch_positions(photograph.shape, "train"))[:TEXTURE_TRAIN]
    test = rng.permutation(patch_positions(photograph.shape, "test"))
    test = test[: TEXTURE_GOOD + TEXTURE_DEFECTIVE]
    folders = ["train/good"] * TEXTURE_TRAIN + ["test/good"] * TEXTURE_GOOD
    folders += [f"test/{DEFECTS[i % len(DEFECTS)]}" for i in range(TEXTURE_DEFECTIVE)]
    for folder, (row, column) in zip(folders, np.concatenate([train, test]), strict=True):
        patch = photograph[row : row + PATCH, column : column + PATCH]
        name = f"y{row:03d}_x{column:03d}"
        defect = Path(folder).name
        if defect in DEFECTS:
            patch, mask = paint(patch, defect, rng, TEXTURES[root.name])
            _save(mask.astype(np.uint8) * 255, root / "ground_truth" / defect / f"{name}_mask.png")
        _save(patch, root / folder / f"{name}.png")


def _photograph(name: str) -> Grey:
    """One of the grey photographs `(512, 512)` that ship inside scikit-image's wheel."""
    from skimage import data

    photograph: Grey = getattr(data, name)()
    return photograph


def _save(pixels: Grey, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _holds(out: Path, stamp: dict[str, Any]) -> bool:
    """Whether `out` holds the demo that `stamp` describes, to the byte."""
    try:
        held = json.loads((out / STAMP).read_text(encoding="utf-8"))
        return bool(held == {**stamp, "digest": _tree_digest(out)})
    except (OSError, ValueError):
        return False


def _may_replace(out: Path) -> bool:
    return out.is_dir() and ((out / STAMP).is_file() or not any(out.iterdir()))


def _tree_digest(root: Path) -> str:
    """SHA-256 over the names and contents of all files but the stamp."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        if path.name != STAMP:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _solar_source(name: str) -> Source:
    crystal = {"mono": "monocrystalline", "poly": "polycrystalline"}[SOLAR[name]]
    return Source(
        name=name,
        what=(
            f"Electroluminescence images of {crystal} solar cells, 300 px, grey, as published in "
            f"the package elpv-dataset: {SOLAR_TRAIN} good cells to train, {SOLAR_GOOD} good and "
            f"{SOLAR_DEFECTIVE} defective ones to test. The defects are real, the labels are per "
            "image, and there are no masks. Good means a defect probability of 0, defective one "
            "of 1; the cells between (1/3 and 2/3) are left out."
        ),
        defects="real",
        licence="CC BY-NC-SA 4.0",
        citation=(
            "Buerhop-Lutz et al., A Benchmark for Visual Identification of Defective Solar Cells "
            "in Electroluminescence Imagery, EU PVSEC 2018, "
            "doi:10.4229/35thEUPVSEC20182018-5CV.3.15"
        ),
        url="https://github.com/zae-bayern/elpv-dataset",
    )


def _texture_source(name: str) -> Source:
    origin, url = {
        "brick": ("CC0Textures, Bricks25", "https://cc0textures.com/view.php?tex=Bricks25"),
        "grass": (
            "linolafett, Grass 01",
            "https://www.deviantart.com/linolafett/art/Grass-01-434853879",
        ),
        "gravel": ("CC0Textures, Gravel04", "https://cc0textures.com/view.php?tex=Gravel04"),
    }[name]
    return Source(
        name=name,
        what=(
            f"Patches of {PATCH} px from scikit-image's photograph of {name}: {TEXTURE_TRAIN} good "
            f"ones to train, {TEXTURE_GOOD} good and {TEXTURE_DEFECTIVE} defective ones to test, "
            "from areas of the photograph that do not overlap. The defects (scratches, stains and "
            "holes) are painted by mintad, with exact masks."
        ),
        defects="painted",
        licence="CC0 1.0 (the photograph)",
        citation=f"{origin}, as distributed with scikit-image.",
        url=url,
    )
