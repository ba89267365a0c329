from __future__ import annotations

import sys

import pytest

from mintad.data import Dataset, read, validate
from mintad.errors import DataError, MissingExtraError

HEADER = "product,split,image,label,defect_type,mask\n"


def table_of(tmp_path, text):
    path = tmp_path / "plant.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_csv(tmp_path):
    path = table_of(
        tmp_path,
        HEADER
        + "nut,train,images/a.png,,,\n"
        + "nut,test,images/b.png,1,crack,masks/b.png\n"
        + "bolt,TEST,images/c.png,good,,\n"
        + "bolt,test,/elsewhere/d.png,Defective,,\n"
        + "bolt,test,images/e.png,,,\n"
        + "bolt,test,images/f.png,,bent,\n"
        + "bolt,test,images/g.png,,good,\n"
        + "bolt,test,images/h.png,,,masks/h.png\n",
    )
    dataset = read(path)
    rows = [(sample.product, sample.split, sample.label, sample.defect_type) for sample in dataset]
    assert rows == [
        ("nut", "train", 0, "good"),
        ("nut", "test", 1, "crack"),
        ("bolt", "test", 0, "good"),
        ("bolt", "test", 1, "defective"),
        ("bolt", "test", None, None),
        ("bolt", "test", 1, "bent"),
        ("bolt", "test", 0, "good"),
        ("bolt", "test", 1, "defective"),
    ]
    assert dataset.samples[0].image == tmp_path / "images/a.png"
    assert dataset.samples[3].name == "/elsewhere/d.png"
    assert dataset.samples[1].mask == tmp_path / "masks/b.png"
    assert dataset.samples[0].mask is None


def test_the_columns_needed_are_enough_and_a_byte_order_mark_is_no_harm(tmp_path):
    path = table_of(tmp_path, "\ufeffimage,product,split\na.png,nut,train\nb.png,nut,test\n")
    assert [sample.label for sample in read(path, layout="manifest")] == [0, None]


def test_parquet_reads_as_csv(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "product": ["nut", "nut", "nut"],
        "split": ["train", "test", "test"],
        "image": ["a.png", "b.png", "c.png"],
        "label": [0, 1, None],
        "mask": [None, "b_mask.png", None],
    }
    parquet.write_table(pa.table(columns), tmp_path / "plant.parquet")
    lines = ["nut,train,a.png,0,", "nut,test,b.png,1,b_mask.png", "nut,test,c.png,,"]
    path = table_of(tmp_path, "product,split,image,label,mask\n" + "\n".join(lines) + "\n")
    from_parquet = read(tmp_path / "plant.parquet")
    assert from_parquet.samples == read(path).samples
    columns["label"] = [0.0, 1.0, None]
    parquet.write_table(pa.table(columns), tmp_path / "plant.parquet")
    assert read(tmp_path / "plant.parquet").samples == from_parquet.samples
    del columns["split"]
    parquet.write_table(pa.table(columns), tmp_path / "plant.parquet")
    with pytest.raises(DataError, match=r"plant\.parquet has no column split; it has product, im"):
        read(tmp_path / "plant.parquet")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "plant.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match=r"mintad\[tables\]"):
        read(tmp_path / "plant.parquet")


def test_a_file_that_is_no_table(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "plant.parquet").write_text("no table")
    with pytest.raises(DataError, match=r"plant\.parquet cannot be read as Parquet"):
        read(tmp_path / "plant.parquet")
    (tmp_path / "plant.csv").write_bytes(b"product,split,image\n\xff\xfe,train,a.png\n")
    with pytest.raises(DataError, match=r"plant\.csv cannot be read as CSV"):
        read(tmp_path / "plant.csv")
    with pytest.raises(DataError, match="is not a manifest"):
        read(tmp_path, layout="manifest")


def test_a_missing_column_is_named_with_those_found(tmp_path):
    path = table_of(tmp_path, "product,image,labels\nnut,a.png,0\n")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(path) in caught.value.problem
    assert "no column split" in caught.value.problem
    assert "product, image, labels" in caught.value.problem
    assert "product, split, image" in caught.value.mend


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("nut,train,a.png,1,,", "Row 2 .* is a defective training image"),
        ("nut,validation,a.png,,,", "Row 2 .* has split 'validation'"),
        ("nut,test,a.png,perhaps,,", "Row 2 .* has label 'perhaps'"),
        (",test,a.png,,,", "Row 2 .* has no product"),
        ("nut,test,,,,", "Row 2 .* has no image"),
        ("nut", "Row 2 .* has no split"),
    ],
)
def test_wrong_rows_are_named(tmp_path, row, problem):
    path = table_of(tmp_path, HEADER + "nut,train,first.png,,,\n" + row + "\n")
    with pytest.raises(DataError, match=problem) as caught:
        read(path)
    assert "plant.csv" in caught.value.problem
    assert caught.value.mend


def test_an_empty_manifest(tmp_path):
    with pytest.raises(DataError, match="lists no images"):
        read(table_of(tmp_path, HEADER))
    with pytest.raises(DataError, match="no column product, split, image; it has none"):
        read(table_of(tmp_path, ""))


ROWS = [
    ("nut", "train", "images/a.png", ""),
    ("nut", "test", "images/b.png", "crack"),
    ("nut", "test", "images/ü, oder.png", "good"),
]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_as_other_programs_write_it(tmp_path, separator, encoding, end):
    header = ["Product", " split ", "IMAGE", "Defect_Type"]
    lines = [separator.join(f'"{cell}"' for cell in row) for row in [header, *ROWS]]
    (tmp_path / "plant.csv").write_bytes((end.join(lines) + end + end).encode(encoding))
    dataset = read(tmp_path / "plant.csv")
    assert [(s.split, s.label, s.defect_type) for s in dataset] == [
        ("train", 0, "good"),
        ("test", 1, "crack"),
        ("test", 0, "good"),
    ]
    assert dataset.samples[2].image == tmp_path / "images/ü, oder.png"


def test_paths_with_backslashes_and_dots(tmp_path, write):
    write("images/deep/a.png")
    write(r"images/odd\\name.png")
    rows = [r"nut,train,images\deep\a.png", r"nut,train,.\images\deep\..\deep\a.png"]
    rows += [r"nut,train,images/odd\\name.png", "nut,train,./images/deep/../deep/a.png"]
    (tmp_path / "tables").mkdir()
    dataset = read(table_of(tmp_path, "\n".join(["product,split,image", *rows]) + "\n"))
    assert all(sample.image.is_file() for sample in dataset)
    assert dataset.samples[0].image == tmp_path / "images/deep/a.png"
    row = r"nut,train,..\images\deep\a.png"
    (sample,) = read(table_of(tmp_path / "tables", f"product,split,image\n{row}\n"))
    assert sample.image.samefile(tmp_path / "images/deep/a.png")


def test_a_cell_too_many_is_an_error(tmp_path):
    path = table_of(tmp_path, "product,split,image\nnut,train,a.png\nnut,train,b, c.png\n")
    with pytest.raises(DataError, match=r"Row 2 .* has 4 cells, its header 3") as caught:
        read(path)
    assert "double quotes" in caught.value.mend


def test_a_column_twice_is_an_error(tmp_path):
    path = table_of(tmp_path, "product,split,image,Image\nnut,train,a.png,b.png\n")
    with pytest.raises(DataError, match="the column image twice"):
        read(path)


@pytest.mark.parametrize("name", ["OK", "Good", "normal", "no defect"])
def test_a_defect_type_that_sounds_good_needs_a_label(tmp_path, name):
    with pytest.raises(DataError, match=f"Row 1 .* has defect_type '{name}' and no label"):
        read(table_of(tmp_path, f"product,split,image,defect_type\nnut,test,a.png,{name}\n"))
    row = f"product,split,image,defect_type,label\nnut,test,a.png,{name},0\n"
    (sample,) = read(table_of(tmp_path, row))
    assert (sample.label, sample.defect_type) == (0, name)


def test_a_mask_may_be_a_folder(tmp_path, write_mask, write):
    write("a.png")
    write_mask("masks/a/1.png")
    row = "product,split,image,mask\nnut,test,a.png,masks/a\n"
    (sample,) = read(table_of(tmp_path, row))
    assert sample.label == 1
    assert sample.mask == tmp_path / "masks/a"
    assert [p.kind for p in validate(Dataset((sample,)))] == ["no good images"]


def test_a_table_that_may_not_be_read_or_is_a_folder(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="no images in a known layout"):
        read(tmp_path / "folder.csv")
    with pytest.raises(DataError, match="is not a manifest"):
        read(tmp_path / "folder.csv", layout="manifest")


def test_csv_of_excel(tmp_path):
    rows = "sep=;\r\nproduct;split;image;;\r\nnut;train;a.png;;\r\n"
    (sample,) = read(table_of(tmp_path, "\ufeff" + rows))
    assert sample.image == tmp_path / "a.png"
    (sample,) = read(table_of(tmp_path, "\n\nproduct,split,image\n\nnut,train,a.png\n\n"))
    assert sample.product == "nut"
