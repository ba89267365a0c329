"""Adds graphs to a bundle: written, compared with torch on real images, and only then kept."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import Bundle, GraphEntry, GraphFormat, Precision, RawPrediction, extend_bundle
from mintad.data import Dataset
from mintad.engines.deviation import (
    TOLERANCE,
    Deviation,
    deviation,
    largest_deviation,
    macro_auroc,
    predict_all,
)
from mintad.engines.onnx_engine import PROCESSOR, OnnxEngine
from mintad.engines.openvino_engine import OpenVinoEngine
from mintad.engines.torch_engine import TorchEngine, reference_engine
from mintad.errors import BundleError, ConfigError, MissingExtraError
from mintad.exporting.damage import damaged
from mintad.exporting.good_images import (
    MOST_FOR_INT8,
    MOST_IMAGES,
    CalibrationImages,
    calibration_images,
)
from mintad.exporting.graph import write_onnx, write_openvino
from mintad.system.files import storage_errors
from mintad.system.processor import has_bfloat16

BATCHES = (1, 3, 8)
"""The batch sizes at which an ONNX graph must agree with torch; OpenVINO runs single images."""

DAMAGES = 4
"""Damaged copies of each good image, on which the loss of a precision is measured: of one copy
the AUROC moves by half a percent with the places of the damage."""

COPIES = 4
"""How often the weights lie on the disk while graphs are made: ONNX, OpenVINO, int8, the bundle."""


def export_graphs(
    bundle: Bundle,
    dataset: Dataset,
    *,
    formats: Sequence[GraphFormat] = ("openvino",),
    precisions: Sequence[Precision] = ("float32",),
) -> Bundle:
    """`export_bundle`, checked on good training images of `dataset`.

    Raises `DataError` where it has none of the bundle's products, and as `export_bundle` does.
    """
    most = MOST_FOR_INT8 if "int8" in precisions else MOST_IMAGES
    good = calibration_images(bundle.manifest, dataset, most)
    return export_bundle(bundle, good, formats=formats, precisions=precisions)


def export_trained(bundle: Bundle, good: Dataset) -> Bundle:
    """The bundle with its OpenVINO graph, and bfloat16 measured where the processor has it.

    A method that cannot be exported keeps torch alone, and the manifest says why. Raises
    `StorageError` on a full disk: then the bundle is as it was.
    """
    precisions: list[Precision] = ["float32"]
    if has_bfloat16():
        precisions.append("bfloat16")
    try:
        return export_graphs(bundle, good, precisions=precisions)
    except (ConfigError, BundleError) as error:
        manifest = bundle.manifest.model_copy(update={"graph_problem": error.problem})
        return extend_bundle(bundle, manifest, [])


def export_bundle(
    bundle: Bundle,
    good: CalibrationImages,
    *,
    formats: Sequence[GraphFormat] = ("openvino",),
    precisions: Sequence[Precision] = ("float32",),
) -> Bundle:
    """The bundle with these graphs; those that it held are replaced, others of its own stay.

    float32 is always among them. Raises `ConfigError` for a method that cannot be exported, or
    bfloat16 on a processor without, `BundleError` where a float32 graph is not within
    `TOLERANCE` of torch, `MissingExtraError` without the packages that run or quantise a graph,
    `StorageError` on a full disk.
    """
    if "bfloat16" in precisions and not has_bfloat16():
        raise ConfigError(
            "This processor has no bfloat16, so its loss cannot be measured.",
            "Export bfloat16 on a processor that has it.",
        )
    if "onnx" in formats and find_spec("onnxruntime") is None:
        raise MissingExtraError("Checking an ONNX graph", "onnx")
    reference = reference_engine(bundle)
    with _folder_beside(bundle) as place:
        outputs = write_onnx(reference.network, place / "model.onnx")
        checks = _Checks(bundle, good, reference)
        entries: list[GraphEntry] = []
        if "onnx" in formats:
            entries.append(checks.onnx(place, outputs))
        if "openvino" in formats:
            entries += checks.openvino(place, outputs, precisions)
        if "onnx" not in formats:
            (place / "model.onnx").unlink()
        new = {(entry.format, entry.precision) for entry in entries}
        kept = [
            entry for entry in bundle.manifest.graphs if (entry.format, entry.precision) not in new
        ]
        manifest = bundle.manifest.model_copy(
            update={"graphs": (*kept, *entries), "graph_problem": ""}
        )
        return extend_bundle(bundle, manifest, sorted(place.iterdir()))


@contextmanager
def _folder_beside(bundle: Bundle) -> Iterator[Path]:
    """A folder on the bundle's disk, for graphs that are not in it yet.

    Raises `StorageError` where there is no room: OpenVINO would write half a file and not say so.
    """
    place = bundle.path.with_name(f".{bundle.path.name}.export")
    needed = COPIES * sum(entry.bytes for entry in bundle.manifest.files.values())
    with storage_errors(place):
        if shutil.disk_usage(bundle.path).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


class _Checks:
    """A bundle's graphs beside what torch says of its good images."""

    def __init__(self, bundle: Bundle, good: CalibrationImages, reference: TorchEngine) -> None:
        self.good = good
        self.products = good.given(bundle.manifest.model.needs_product)
        self.names = [bundle.manifest.product_names[number] for number in good.products]
        self.torch = predict_all(reference, good.images, self.products, 8)

    def onnx(self, place: Path, outputs: tuple[str, ...]) -> GraphEntry:
        engine = OnnxEngine(place / "model.onnx", outputs, providers=PROCESSOR)
        worst = largest_deviation(
            deviation(self.torch, predict_all(engine, self.good.images, self.products, batch))
            for batch in BATCHES
        )
        return self._entry("onnx", "float32", "model.onnx", outputs, _tolerable(worst))

    def openvino(
        self, place: Path, outputs: tuple[str, ...], precisions: Sequence[Precision]
    ) -> list[GraphEntry]:
        write_openvino(place / "model.onnx", place / "model.xml")
        exact = OpenVinoEngine(place / "model.xml", outputs)
        good = exact.predict(self.good.images, self.products)
        worst = _tolerable(deviation(self.torch, good))
        entries = [self._entry("openvino", "float32", "model.xml", outputs, worst)]
        lower = sorted(set(precisions) - {"float32"})
        if not lower:
            return entries
        bad = np.concatenate([damaged(self.good.images, seed) for seed in range(DAMAGES)])
        products = np.tile(self.products, DAMAGES)
        before = self._auroc(_scores(self.torch, predict_all(exact, bad, products, 8)))
        for precision in lower:
            file = "model.xml"
            if precision == "int8":
                from mintad.exporting.quantise import write_int8

                file = "model_int8.xml"
                write_int8(
                    place / "model.xml",
                    place / file,
                    self.good.images,
                    bad[: len(self.products)],
                    self.products,
                    self._auroc,
                )
            engine = OpenVinoEngine(place / file, outputs, precision=precision)
            good = engine.predict(self.good.images, self.products)
            after = self._auroc(_scores(good, predict_all(engine, bad, products, 8)))
            entry = self._entry("openvino", precision, file, outputs, deviation(self.torch, good))
            entries.append(
                entry.model_copy(update={"auroc": after, "auroc_change": after - before})
            )
        return entries

    def _auroc(self, scores: NDArray[np.float32]) -> float:
        """The macro AUROC of the scores of all good images and then of damaged copies of all."""
        count = len(self.names)
        labels = (np.arange(len(scores)) >= count).astype(np.int64)
        auroc = macro_auroc(scores, labels, self.names * (len(scores) // count))
        assert auroc is not None
        return auroc

    def _entry(
        self,
        format: GraphFormat,
        precision: Precision,
        file: str,
        outputs: tuple[str, ...],
        worst: Deviation,
    ) -> GraphEntry:
        return GraphEntry(
            format=format,
            precision=precision,
            file=file,
            outputs=outputs,
            images=len(self.good.images),
            map_deviation=worst.map,
            score_deviation=worst.score,
        )


def _tolerable(worst: Deviation) -> Deviation:
    """`worst` itself; raises `BundleError` where it is beyond `TOLERANCE`."""
    if not worst.tolerable:
        raise BundleError(
            f"The exported graph differs from torch by {worst.map:.1e} of a map and "
            f"{worst.score:.1e} of a score, more than {TOLERANCE}.",
            "Inspect with the engine torch, and report the method and its switches.",
        )
    return worst


def _scores(good: RawPrediction, bad: RawPrediction) -> NDArray[np.float32]:
    return np.concatenate([good.raw_score, bad.raw_score])
