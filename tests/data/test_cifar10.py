from __future__ import annotations

import io
import pickle
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mintad.data import cifar10_split, decode_image, read
from mintad.data.layouts.cifar10 import CLASSES
from mintad.errors import DataError

NAMES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]


class Intruder:
    """What a hostile pickle would carry."""

    def __reduce__(self):
        return (print, ("a foreign function ran",))


@pytest.fixture
def batches(tmp_path):
    """Six batches of ten images, one per class; returns the folder and the pixels of each file."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = {}
    for number, name in enumerate(NAMES):
        rng = np.random.default_rng(number)
        pixels[name] = rng.integers(0, 256, (10, 3072), dtype=np.uint8)
        batch = {"data": pixels[name], "labels": list(range(10)), "batch_label": name}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return folder, pixels


@pytest.mark.parametrize("layout", ["auto", "cifar10"])
def test_torchvision_files(batches, tmp_path, layout):
    folder, pixels = batches
    dataset = read(tmp_path, layout=layout)
    assert dataset.products == CLASSES
    assert len(dataset.train) == 50
    assert len(dataset.test) == 10
    assert [sample.product for sample in dataset.test] == list(CLASSES)
    third = decode_image(dataset.samples[2].image)
    assert np.array_equal(third, pixels["data_batch_1"][2].reshape(3, 32, 32).transpose(1, 2, 0))
    assert len({sample.name for sample in dataset}) == 60
    assert len(read(folder)) == 60


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL))
def test_pickle_protocols(batches, tmp_path, protocol):
    folder, pixels = batches
    batch = {"data": pixels["test_batch"], "labels": list(range(10))}
    (folder / "test_batch").write_bytes(pickle.dumps(batch, protocol=protocol))
    assert len(read(tmp_path).test) == 10


def test_foreign_pickles_are_refused(batches, tmp_path, capsys):
    folder, _ = batches
    (folder / "test_batch").write_bytes(pickle.dumps({"data": Intruder()}))
    with pytest.raises(DataError, match=r"test_batch .* builtins\.print, which is not allowed"):
        read(tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "test_batch is not a whole CIFAR-10 file"),
        (pickle.dumps([1]), "holds a list"),
        (pickle.dumps({"labels": [1]}, protocol=2), "no data and labels"),
        (pickle.dumps({"data": np.zeros((1, 9), np.uint8), "labels": [1]}, 2), r"uint8 \(1, 9\)"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": [11]}, 2), "is 11"),
    ],
)
def test_damaged_files_are_named(batches, tmp_path, content, problem):
    folder, _ = batches
    (folder / "test_batch").write_bytes(content)
    with pytest.raises(DataError, match=problem):
        read(tmp_path)


def test_a_missing_batch_is_named(batches, tmp_path):
    folder, _ = batches
    (folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"data_batch_3 .* missing"):
        read(tmp_path)


def test_no_cifar10(tmp_path):
    with pytest.raises(DataError, match="holds no CIFAR-10"):
        read(tmp_path, layout="cifar10")


def test_parquet(tmp_path, paint):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def image(seed):
        stream = io.BytesIO()
        Image.fromarray(paint(seed, 32, 32)).save(stream, "PNG")
        return {"bytes": stream.getvalue(), "path": f"{seed}.png"}

    for split, count in (("train", 4), ("test", 2)):
        images = [image(seed + 10 * count) for seed in range(count)]
        table = pa.table({"img": images, "label": list(range(count))})
        parquet.write_table(table, tmp_path / f"{split}.parquet")
    dataset = read(tmp_path)
    assert [sample.product for sample in dataset.train] == list(CLASSES[:4])
    assert [sample.product for sample in dataset.test] == list(CLASSES[:2])
    assert np.array_equal(decode_image(dataset.samples[1].image), paint(41, 32, 32))
    parquet.write_table(pa.table({"image": [1], "label": [1]}), tmp_path / "test.parquet")
    with pytest.raises(DataError, match=r"test\.parquet has no column img; it has image, label"):
        read(tmp_path)
    parquet.write_table(pa.table({"img": [1], "label": [1]}), tmp_path / "test.parquet")
    with pytest.raises(DataError, match="row 0 of img has no bytes"):
        read(tmp_path)


def test_many_against_many(batches, tmp_path):
    split = cifar10_split(read(tmp_path), [1, 3, 5, 7, 9])
    odd = {CLASSES[number] for number in (1, 3, 5, 7, 9)}
    assert {sample.product for sample in split.train} == odd
    assert all(sample.label == 0 for sample in split.train)
    assert len(split.train) == 25
    assert len(split.test) == 10
    for sample in split.test:
        assert sample.label == int(sample.product not in odd)
        assert sample.defect_type == ("good" if sample.product in odd else sample.product)
    assert Counter(sample.label for sample in split.test) == {0: 5, 1: 5}
    for normal in ([], [10], [-1]):
        with pytest.raises(DataError, match="no split"):
            cifar10_split(split, normal)


def forged(dtype: bytes, shape: bytes, content: bytes) -> bytes:
    """A batch in protocol 2 whose data are an array with this dtype, shape and content."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\n" + dtype + b"K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(content).to_bytes(4, "little") + content + b"tb"
    )
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x00eu."


SHAPE = b"K\x01M\x00\x0c\x86"  # (1, 3072)
DEEP = b"\x80\x02}" + b"K\x00" + b"\x85" * 500_000 + b"K\x01s."
LAUGHS = b"\x80\x02}(U\x06labels]K\x0b" + b"2\x86" * 900 + b"aU\x04dataNu."


def test_the_forged_batch_without_fault_is_read(batches, tmp_path):
    folder, _ = batches
    content = bytes(range(256)) * 12
    (folder / "test_batch").write_bytes(forged(b"U\x02u1", SHAPE, content))
    (sample,) = read(tmp_path).test
    planes = np.frombuffer(content, np.uint8).reshape(3, 32, 32)
    assert np.array_equal(decode_image(sample.image), planes.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (forged(b"U\x01O", b"K\x01M\x80\x01\x86", b"\x41" * 3072), "not bytes"),  # pointers
        (forged(b"U\x02f8", SHAPE, bytes(3072 * 8)), "not bytes"),
        (forged(b"U\x02u1", b"J\xff\xff\xff\xffM\x00\x0c\x86", bytes(3072)), "for the shape"),
        (forged(b"U\x02u1", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", bytes(9)), "for the shape"),
        (forged(b"U\x02u1", b"M\x00\x0cK\x01\x86", bytes(3072)), r"uint8 \(3072, 1\)"),
        (forged(b"U\x02u1", SHAPE, bytes(3072))[:-200], "test_batch"),
        (DEEP, "operation TUPLE1, which is not allowed"),
        (LAUGHS, "operation DUP, which is not allowed"),
        (b"\x80\x02}r\xff\xff\xff\x7f.", "keeps more than it holds"),
        (b"\x80\x02}0.", "test_batch"),
        (b"\x80\x02.", "test_batch"),
        (b"\x80\x02cnumpy\ndtype\n}U\x01aK\x01sb.", "only names"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "test_batch"),
        (b"\x80\x02cbuiltins\neval\n.", r"builtins\.eval, which is not allowed"),
        (b"\x80\x02cnumpy\nndarray.tobytes\n.", "not allowed"),
        (b"\x80\x02c_codecs\nencode\nU\x01aU\x05utf-8\x86R.", "another encoding"),
        (b"\x80\x05\x95" + b"\xff" * 8 + b"}.", "test_batch"),
        (b"\x80\x02}U\x06labelsU\x01a.", "test_batch"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.", "test_batch"),
    ],
)
def test_hostile_pickles_are_named(batches, tmp_path, content, problem):
    folder, _ = batches
    (folder / "test_batch").write_bytes(content)
    with pytest.raises(DataError, match=problem):
        read(tmp_path)


def test_a_label_without_end_is_not_shown(batches, tmp_path):
    folder, _ = batches
    nested = b"\x80\x02}(U\x06labels]](K\x0beaU\x04data"
    content = forged(b"U\x02u1", SHAPE, bytes(3072))
    start = content.index(b"cnumpy")
    array = content[start : content.index(b"U\x06labels")]
    (folder / "test_batch").write_bytes(nested + array + b"u.")
    with pytest.raises(DataError, match="the label of image 0 is list"):
        read(tmp_path)
