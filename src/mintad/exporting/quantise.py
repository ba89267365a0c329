"""The backbone in 8-bit integers, by NNCF, layer by layer as far as good images allow it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mintad.engines.choice import LARGEST_LOSS
from mintad.errors import MissingExtraError
from mintad.system.openvino_runtime import openvino

MOST_TRIES = 4
"""How many groups of layers NNCF gives back at most; each try may rank all others anew."""

RANGES_FROM = 64
"""Images, half of them damaged, from which the ranges of activations are taken."""

RANKED_ON = 8
"""Images on which NNCF finds which layers cost the most."""


def write_int8(
    source: Path,
    target: Path,
    good: NDArray[np.uint8],
    bad: NDArray[np.uint8],
    products: NDArray[np.int64],
    auroc: Callable[[NDArray[np.float32]], float],
    largest_loss: float = LARGEST_LOSS,
) -> None:
    """Writes the OpenVINO graph `source` with convolutions in int8 as `target`.

    `good` and `bad` `(N, h, w, 3)` are prepared images to take the ranges from, and to measure
    on. A range is that of all values that occur: defects lie at its ends, and NNCF's default, a
    mean of the images' ranges, would cut them off. `auroc` makes one number of the image scores
    `(2N,)`, those of the good ones first. Layers go back to float32, the costliest first, until
    it has fallen by no more than `largest_loss`, or `MOST_TRIES` did not suffice. Matrix
    products stay as they are: the closed form subtracts numbers that are nearly equal.
    Raises `MissingExtraError` without NNCF.
    """
    try:
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    except ModuleNotFoundError as error:
        raise MissingExtraError("Quantisation", "export") from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    model = openvino.Core().read_model(source)
    exact = [op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "MatMul"]
    images = np.concatenate([good, bad])  # (2N, h, w, 3)
    twice = np.concatenate([products, products])  # (2N,)
    even = np.linspace(0, len(images) - 1, min(RANGES_FROM, len(images))).round().astype(int)

    def inputs(row: int) -> dict[str, Any]:
        return {"images": images[row : row + 1], "products": twice[row : row + 1]}

    def measure(compiled: Any, rows: Iterable[int]) -> tuple[float, list[list[Any]]]:
        answers = [compiled(inputs(row)) for row in rows]
        scores = np.concatenate([answer["raw_score"] for answer in answers])
        # NNCF first tries this on one image, and divides by what the float32 graph has.
        value = max(auroc(scores), 1e-6) if len(scores) == len(images) else 0.0
        return value, [list(answer.values()) for answer in answers]

    quantised = nncf.quantize_with_accuracy_control(
        model,
        nncf.Dataset(even.tolist(), inputs),
        nncf.Dataset(range(len(images)), inputs),
        measure,
        max_drop=largest_loss,
        subset_size=len(even),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        ignored_scope=nncf.IgnoredScope(names=exact) if exact else None,
        advanced_quantization_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        ),
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
            max_num_iterations=MOST_TRIES, ranking_subset_size=RANKED_ON
        ),
    )
    openvino.save_model(quantised, target, compress_to_fp16=False)
