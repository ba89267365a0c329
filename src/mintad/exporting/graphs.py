"""Adds graphs to a bundle: written, compared with torch on real images, and only then kept."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import Bundle, GraphEntry, GraphFormat, Precision, RawPrediction, extend_bundle
from mintad.engines import Engine
from mintad.engines.deviation import TOLERANCE, Deviation, deviation, macro_auroc, run
from mintad.errors import BundleError, ConfigError
from mintad.exporting.damage import damaged
from mintad.exporting.graph import NetworkEngine, write_onnx
from mintad.exporting.graph_files import OnnxFile, OpenVinoFile, write_openvino
from mintad.system.processor import has_bfloat16

BATCHES = (1, 3, 8)
"""The batch sizes at which a graph must agree with torch."""

DAMAGES = 4
"""Damaged copies of each good image, on which the loss of a precision is measured: of one copy
the AUROC moves by half a percent with the places of the damage."""


@dataclass(frozen=True)
class CalibrationImages:
    """Good images, prepared `uint8 (N, h, w, 3)`, with the numbers `int64 (N,)` of their products.

    Best are such as the model was not fitted to.
    """

    images: NDArray[np.uint8]
    products: NDArray[np.int64]

    def given(self, needs_product: bool) -> NDArray[np.int64]:
        """What an engine is told of the products: nothing where the method recognises them."""
        return self.products if needs_product else np.full_like(self.products, -1)


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
    `TOLERANCE` of torch at every batch size of `BATCHES`.
    """
    if "bfloat16" in precisions and not has_bfloat16():
        raise ConfigError(
            "This processor has no bfloat16, so its loss cannot be measured.",
            "Export bfloat16 on a processor that has it.",
        )
    reference = NetworkEngine(bundle)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        outputs = write_onnx(reference.network, place / "model.onnx")
        entries: list[GraphEntry] = []
        held = _Held(bundle, good, reference)
        if "onnx" in formats:
            entries.append(held.onnx(place, outputs))
        if "openvino" in formats:
            entries += held.openvino(place, outputs, precisions)
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


class _Held:
    """A bundle, its good images, and what torch says of them."""

    def __init__(self, bundle: Bundle, good: CalibrationImages, reference: NetworkEngine) -> None:
        self.good = good
        self.told = good.given(bundle.manifest.model.needs_product)
        self.names = [bundle.manifest.product_names[number] for number in good.products]
        self.torch = run(reference, good.images, self.told, 8)

    def onnx(self, place: Path, outputs: tuple[str, ...]) -> GraphEntry:
        runner = OnnxFile(place / "model.onnx", outputs)
        return self._entry("onnx", "float32", "model.onnx", outputs, self._compare(runner))

    def openvino(
        self, place: Path, outputs: tuple[str, ...], precisions: Sequence[Precision]
    ) -> list[GraphEntry]:
        write_openvino(place / "model.onnx", place / "model.xml")
        exact = OpenVinoFile(place / "model.xml", outputs, "f32")
        entries = [self._entry("openvino", "float32", "model.xml", outputs, self._compare(exact))]
        lower = sorted(set(precisions) - {"float32"})
        if not lower:
            return entries
        bad = np.concatenate([damaged(self.good.images, seed) for seed in range(DAMAGES)])
        told = np.tile(self.told, DAMAGES)
        before = self._auroc(_scores(self.torch, run(exact, bad, told, 8)))
        for precision in lower:
            file = "model.xml"
            if precision == "int8":
                from mintad.exporting.quantise import write_int8

                file = "model_int8.xml"
                write_int8(
                    place / "model.xml",
                    place / file,
                    self.good.images,
                    bad[: len(self.told)],
                    self.told,
                    self._auroc,
                )
            hint = "bf16" if precision == "bfloat16" else "f32"
            runner = OpenVinoFile(place / file, outputs, hint)
            found = run(runner, self.good.images, self.told, 1)
            after = self._auroc(_scores(found, run(runner, bad, told, 1)))
            entry = self._entry("openvino", precision, file, outputs, deviation(self.torch, found))
            entries.append(
                entry.model_copy(update={"auroc": after, "auroc_change": after - before})
            )
        return entries

    def _compare(self, runner: Engine) -> Deviation:
        """The largest deviation over all batch sizes; raises `BundleError` beyond `TOLERANCE`."""
        found = [
            deviation(self.torch, run(runner, self.good.images, self.told, batch))
            for batch in BATCHES
        ]
        maps, scores, products = zip(*found, strict=True)
        worst = Deviation(max(maps), max(scores), min(products))
        if not worst.tolerable:
            raise BundleError(
                f"The exported graph differs from torch by {worst.map:.1e} of a map and "
                f"{worst.score:.1e} of a score, more than {TOLERANCE}.",
                "Inspect with the engine torch, and report the method and its switches.",
            )
        return worst

    def _auroc(self, scores: NDArray[np.float32]) -> float:
        """The macro AUROC of the scores of all good images and then of damaged copies of all."""
        count = len(self.names)
        labels = (np.arange(len(scores)) >= count).astype(np.int64)
        found = macro_auroc(scores, labels, self.names * (len(scores) // count))
        assert found is not None
        return found

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


def _scores(good: RawPrediction, bad: RawPrediction) -> NDArray[np.float32]:
    return np.concatenate([good.raw_score, bad.raw_score])
