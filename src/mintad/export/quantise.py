"""The backbone in 8-bit integers, by NNCF, calibrated on good images."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from mintad.errors import MissingExtraError


def write_int8(
    source: Path, target: Path, images: NDArray[np.uint8], products: NDArray[np.int64]
) -> None:
    """Writes the OpenVINO graph `source` with its convolutions in int8 as `target`.

    `images` `(N, h, w, 3)` are prepared good ones, from which the ranges are taken. Matrix
    products stay as they are: the closed form subtracts numbers that are nearly equal.
    Raises `MissingExtraError` without NNCF.
    """
    try:
        import nncf
    except ModuleNotFoundError as error:
        raise MissingExtraError("Quantisation", "export") from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    model = openvino.Core().read_model(source)
    exact = [op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "MatMul"]

    def inputs(row: int) -> dict[str, Any]:
        return {"images": images[row : row + 1], "products": products[row : row + 1]}

    quantised = nncf.quantize(
        model,
        nncf.Dataset(range(len(images)), inputs),
        subset_size=len(images),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=exact) if exact else None,
    )
    openvino.save_model(quantised, target, compress_to_fp16=False)
