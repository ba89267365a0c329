"""Frames of a video file, a stream or a camera, by OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mintad.errors import DataError, MissingExtraError


def frames(source: str | Path | int, *, every: int = 1) -> Iterator[NDArray[np.uint8]]:
    """RGB frames `uint8 (H, W, 3)` of a file, a stream's address, or a camera by its number.

    Of `every` frames only the first is given. A video ends, a camera does not; close the
    iterator to release it. Raises `DataError` where the source cannot be opened, and
    `MissingExtraError` without the extra `video`.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise MissingExtraError("Reading video", "video") from error
    capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
    if not capture.isOpened():
        capture.release()
        what = f"camera {source}" if isinstance(source, int) else f"video {source}"
        raise DataError(f"The {what} cannot be opened.", "Check its path, number or address.")
    return _rgb(capture, every)


def _rgb(capture: Any, every: int) -> Iterator[NDArray[np.uint8]]:
    number = 0
    try:
        while capture.grab():
            if number % every == 0:
                read, frame = capture.retrieve()
                if not read:
                    return
                yield np.ascontiguousarray(frame[:, :, ::-1])  # BGR to RGB
            number += 1
    finally:
        capture.release()
