"""Rows of bytes to rows of samples: bits, and the differences that a predictor left."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BITS_AT_ONCE = 1 << 26


def unpack_bits(rows: NDArray[np.uint8], bits: int, count: int) -> NDArray[Any]:
    """`count` samples of 1 to 15 bits from each row `(R, bytes)`, the highest bit first.

    Returns `(R, count)`, `uint8` up to 8 bits and `uint16` above.
    """
    if bits == 8:
        return rows[:, :count]
    if bits in (1, 2, 4):
        shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
        parts = (rows[..., None] >> shifts) & ((1 << bits) - 1)  # (R, bytes, samples of a byte)
        return parts.reshape(len(rows), -1)[:, :count]
    samples = np.empty((len(rows), count), np.uint8 if bits < 8 else np.uint16)
    step = max(1, _BITS_AT_ONCE // max(1, count * bits))
    for top in range(0, len(rows), step):
        single = np.unpackbits(rows[top : top + step], axis=1, count=count * bits)
        single = single.reshape(-1, count, bits)
        block = samples[top : top + step]
        block[:] = 0
        for bit in range(bits):
            block <<= 1
            block |= single[..., bit]
    return samples


def undo_differences(samples: NDArray[Any]) -> NDArray[Any]:
    """Each sample plus all before it in its row: `(R, W, C)`, wrapping around."""
    kind = np.dtype(f"u{samples.dtype.itemsize}")
    summed = np.cumsum(samples.view(kind), axis=1, dtype=kind)
    return summed.view(samples.dtype)


def undo_float_differences(
    rows: NDArray[np.uint8], width: int, channels: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The floating-point predictor undone: bytes `(R, bytes)` to `(R, W, C)` of `dtype`.

    A row holds the first bytes of all its samples, then the second ones, and so on, each less
    the byte of the same channel before it.
    """
    summed = np.cumsum(
        rows.reshape(len(rows), -1, channels), axis=1, dtype=np.uint8
    )  # (R, bytes / C, C)
    planes = summed.reshape(len(rows), dtype.itemsize, width * channels)
    whole = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(dtype.newbyteorder(">"))
    return whole.reshape(len(rows), width, channels).astype(dtype)
