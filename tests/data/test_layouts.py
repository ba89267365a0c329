"""Every folder layout on tiny trees."""

from __future__ import annotations

import pytest

from mintad.data import read
from mintad.data.layouts import folder, visa
from mintad.data.layouts.products import BTAD, MVTEC
from mintad.errors import DataError


def summary(dataset, root):
    """Each sample as product, split, label, defect type, image and mask, relative to `root`."""
    return [
        (
            sample.product,
            sample.split,
            sample.label,
            sample.defect_type,
            sample.image.relative_to(root).as_posix(),
            sample.mask and sample.mask.relative_to(root).as_posix(),
        )
        for sample in dataset
    ]


def test_mvtec(tmp_path, write, write_mask):
    write("nut/train/good/b.png")
    write("nut/train/good/a.PNG")
    write("nut/test/good/a.jpg")
    write("nut/test/crack/a.png")
    write("nut/test/crack/b.bmp")
    write("nut/test/crack/c.tif")
    write_mask("nut/ground_truth/crack/a_mask.png")
    write_mask("nut/ground_truth/crack/b.BMP")
    write("bolt/train/good/a.webp")
    (tmp_path / "nut/train/good/notes.txt").write_text("not an image")
    (tmp_path / "nut/train/good/.hidden.png").write_text("not an image")
    (tmp_path / "nut/train/good/Thumbs.db").write_text("not an image")
    (tmp_path / "nut/test/.DS_Store").write_text("not a folder")
    (tmp_path / ".git").mkdir()
    (tmp_path / "papers").mkdir()
    (tmp_path / "license.txt").write_text("free")
    expected = [
        ("bolt", "train", 0, "good", "bolt/train/good/a.webp", None),
        ("nut", "train", 0, "good", "nut/train/good/a.PNG", None),
        ("nut", "train", 0, "good", "nut/train/good/b.png", None),
        ("nut", "test", 1, "crack", "nut/test/crack/a.png", "nut/ground_truth/crack/a_mask.png"),
        ("nut", "test", 1, "crack", "nut/test/crack/b.bmp", "nut/ground_truth/crack/b.BMP"),
        ("nut", "test", 1, "crack", "nut/test/crack/c.tif", None),
        ("nut", "test", 0, "good", "nut/test/good/a.jpg", None),
    ]
    for layout in ("auto", "mvtec"):
        assert summary(read(tmp_path, layout=layout), tmp_path) == expected
    one = read(tmp_path / "nut")
    assert one.products == ("nut",)
    assert summary(one, tmp_path) == expected[1:]


def test_mvtec_relative_root_has_the_folders_name(tmp_path, write, monkeypatch):
    write("nut/train/good/a.png")
    monkeypatch.chdir(tmp_path / "nut")
    assert read(".").products == ("nut",)


def test_mvtec_for_evaluation_alone(tmp_path, write):
    write("nut/test/good/a.png")
    write("nut/test/crack/a.png")
    dataset = read(tmp_path)
    assert len(dataset.train) == 0
    assert [sample.label for sample in dataset.test] == [1, 0]


def test_mvtec_product_without_images(tmp_path, write):
    write("nut/train/good/a.png")
    (tmp_path / "bolt/train/good").mkdir(parents=True)
    with pytest.raises(DataError, match="bolt has no images") as caught:
        read(tmp_path)
    assert ".png" in caught.value.mend
    with pytest.raises(DataError, match="has no images"):
        MVTEC.read(tmp_path / "bolt")


def test_mvtec_refuses_what_it_would_skip(tmp_path, write):
    write("nut/train/good/a.png")
    loose = write("bolt/a.png")
    with pytest.raises(DataError, match="bolt holds images but is not laid out"):
        read(tmp_path)
    loose.unlink()
    misplaced = write("nut/train/odd/a.png")
    with pytest.raises(DataError, match="odd holds images outside of train/good"):
        read(tmp_path)
    misplaced.unlink()
    write("nut/test/a.png")
    with pytest.raises(DataError, match="test holds images outside of train/good"):
        read(tmp_path)


def test_mvtec_and_btad_side_by_side_are_refused(tmp_path, write):
    write("nut/train/good/a.png")
    write("01/train/ok/a.png")
    with pytest.raises(DataError, match="nut holds images but is not laid out"):
        read(tmp_path)
    assert read(tmp_path / "nut", tmp_path / "01").products == ("01", "nut")


def test_a_defect_called_ok_does_not_make_it_btad(tmp_path, write):
    write("nut/train/good/a.png")
    write("nut/test/ok/a.png")
    assert [sample.defect_type for sample in read(tmp_path, bad=["ok"])] == ["good", "ok"]


def test_folder(tmp_path, write):
    write("nut/b.png")
    write("nut/a.JPEG")
    write("bolt/a.png")
    expected = [
        ("bolt", "train", 0, "good", "bolt/a.png", None),
        ("nut", "train", 0, "good", "nut/a.JPEG", None),
        ("nut", "train", 0, "good", "nut/b.png", None),
    ]
    for layout in ("auto", "folder"):
        assert summary(read(tmp_path, layout=layout), tmp_path) == expected
    assert summary(read(tmp_path / "nut"), tmp_path) == expected[1:]


def test_folder_without_images(tmp_path, write):
    write("nut/a.png")
    (tmp_path / "bolt").mkdir()
    with pytest.raises(DataError, match="bolt has no images"):
        read(tmp_path)
    with pytest.raises(DataError, match="bolt has no images"):
        folder.read(tmp_path / "bolt")


def test_folder_with_images_on_both_levels(tmp_path, write):
    write("nut/a.png")
    write("a.png")
    with pytest.raises(DataError, match="its folder nut hold images"):
        read(tmp_path)
    write("set/nut/a.png")
    write("set/nut/inner/a.png")
    with pytest.raises(DataError, match="its folder inner hold images"):
        read(tmp_path / "set")


def test_splits_are_not_taken_for_products(tmp_path, write):
    write("nut/train/a.png")
    write("nut/test/a.png")
    with pytest.raises(DataError, match="no images in a known layout"):
        read(tmp_path / "nut")


def test_btad(tmp_path, write, write_mask):
    write("01/train/ok/0.bmp")
    write("01/test/ok/1.bmp")
    write("01/test/ko/2.bmp")
    write("01/test/ko/3.bmp")
    write_mask("01/ground_truth/ko/2.png")
    write("03/train/ok/0.bmp")
    write("03/test/ko/2.bmp")
    write_mask("03/ground_truth/ko/2.bmp")
    expected = [
        ("01", "train", 0, "good", "01/train/ok/0.bmp", None),
        ("01", "test", 1, "ko", "01/test/ko/2.bmp", "01/ground_truth/ko/2.png"),
        ("01", "test", 1, "ko", "01/test/ko/3.bmp", None),
        ("01", "test", 0, "good", "01/test/ok/1.bmp", None),
        ("03", "train", 0, "good", "03/train/ok/0.bmp", None),
        ("03", "test", 1, "ko", "03/test/ko/2.bmp", "03/ground_truth/ko/2.bmp"),
    ]
    for layout in ("auto", "btad"):
        assert summary(read(tmp_path, layout=layout), tmp_path) == expected
    assert summary(read(tmp_path / "03"), tmp_path) == expected[4:]
    (tmp_path / "02/train/ok").mkdir(parents=True)
    with pytest.raises(DataError, match="02 has no images"):
        read(tmp_path)
    with pytest.raises(DataError, match="has no images"):
        BTAD.read(tmp_path / "03/train/ok")


VISA_HEADER = "object,split,label,image,mask\n"


@pytest.mark.parametrize("place", ["split_csv/1cls.csv", "1cls.csv"])
def test_visa(tmp_path, write, write_mask, place):
    write("candle/Data/Images/Normal/0.JPG")
    write("candle/Data/Images/Normal/1.JPG")
    write("candle/Data/Images/Anomaly/0.JPG")
    write_mask("candle/Data/Masks/Anomaly/0.png", value=1)
    write("cashew/Data/Images/Normal/0.JPG")
    table = tmp_path / place
    table.parent.mkdir(exist_ok=True)
    table.write_text(
        VISA_HEADER
        + "cashew,train,normal,cashew/Data/Images/Normal/0.JPG,\n"
        + "candle,test,anomaly,candle/Data/Images/Anomaly/0.JPG,candle/Data/Masks/Anomaly/0.png\n"
        + "candle,test,normal,candle/Data/Images/Normal/1.JPG,\n"
        + "candle,train,normal,candle/Data/Images/Normal/0.JPG,\n"
    )
    images = "candle/Data/Images"
    mask = "candle/Data/Masks/Anomaly/0.png"
    expected = [
        ("candle", "train", 0, "good", f"{images}/Normal/0.JPG", None),
        ("candle", "test", 1, "anomaly", f"{images}/Anomaly/0.JPG", mask),
        ("candle", "test", 0, "good", f"{images}/Normal/1.JPG", None),
        ("cashew", "train", 0, "good", "cashew/Data/Images/Normal/0.JPG", None),
    ]
    for layout in ("auto", "visa"):
        assert summary(read(tmp_path, layout=layout), tmp_path) == expected


def test_visa_errors(tmp_path):
    with pytest.raises(DataError, match=r"1cls\.csv"):
        visa.read(tmp_path)
    table = tmp_path / "1cls.csv"
    table.write_text("object,split,image,mask\n")
    with pytest.raises(DataError, match=r"1cls\.csv has no column label; it has object, split"):
        read(tmp_path)
    table.write_text(VISA_HEADER)
    with pytest.raises(DataError, match="lists no images"):
        read(tmp_path)
    table.write_text(VISA_HEADER + "candle,train,broken,a.png,\n")
    with pytest.raises(DataError, match=r"Row 2 of .* label 'broken'"):
        read(tmp_path)
