from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mintad.data import LAYOUTS, read
from mintad.errors import ConfigError, DataError


def test_several_roots_keep_their_order(tmp_path, mvtec_tree, write):
    write("more/washer/a.png")
    dataset = read(tmp_path / "more", mvtec_tree)
    assert dataset.products == ("bolt", "nut", "washer")
    assert dataset.samples[0].product == "washer"
    assert dataset.roots == (tmp_path / "more", mvtec_tree)
    assert dataset.where(lambda sample: sample.product == "nut").roots == ()
    assert read(str(mvtec_tree)).samples == read(mvtec_tree).samples


def test_a_name_is_put_before_the_products(mvtec_tree):
    dataset = read(f"old={mvtec_tree}", mvtec_tree)
    assert dataset.products == ("bolt", "nut", "old/bolt", "old/nut")
    assert len(dataset) == 2 * len(read(mvtec_tree))
    assert dataset.roots == (mvtec_tree, mvtec_tree)


def test_an_existing_path_with_an_equals_sign_is_a_path(tmp_path, write, monkeypatch):
    write("line=3/nut/a.png")
    assert read(str(tmp_path / "line=3")).products == ("nut",)
    assert read(tmp_path / "line=3").products == ("nut",)
    monkeypatch.chdir(tmp_path)
    assert read("line=3").products == ("nut",)
    assert read("old=line=3").products == ("old/nut",)


def test_one_product_in_two_roots_is_an_error_with_its_mend(tmp_path, mvtec_tree, write):
    write("more/nut/a.png")
    with pytest.raises(DataError, match=r"The product nut is in both .*line and .*more") as caught:
        read(mvtec_tree, tmp_path / "more")
    assert f"NAME={tmp_path / 'more'}" in caught.value.mend


def test_bad_roots(tmp_path):
    with pytest.raises(DataError, match="No data were given"):
        read()
    with pytest.raises(DataError, match="absent does not exist"):
        read(tmp_path / "absent")
    with pytest.raises(DataError, match="no images in a known layout"):
        read(tmp_path)
    (tmp_path / "letter.txt").write_text("hello")
    with pytest.raises(DataError, match=r"letter\.txt is not a manifest"):
        read(tmp_path / "letter.txt")
    (tmp_path / "deep/set/nut/train/good").mkdir(parents=True)
    with pytest.raises(DataError, match="deep") as caught:
        read(tmp_path / "deep")
    assert "deeper" in caught.value.mend


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "auto"])
def test_a_layout_that_does_not_fit_is_an_error(tmp_path, layout):
    with pytest.raises(DataError):
        read(tmp_path, layout=layout)


def test_an_unknown_layout_lists_the_known(mvtec_tree):
    with pytest.raises(ConfigError) as caught:
        read(mvtec_tree, layout="coco")
    assert "coco" in caught.value.problem
    assert all(layout in caught.value.mend for layout in LAYOUTS)


def test_data_needs_neither_torch_nor_pyarrow():
    source = Path(__file__).parents[2] / "src"
    code = (
        f"import sys; sys.path.insert(0, {str(source)!r}); import mintad.data; "
        "heavy = {'torch', 'pyarrow', 'matplotlib'} & set(sys.modules); sys.exit(len(heavy))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert finished.returncode == 0, finished.stderr
