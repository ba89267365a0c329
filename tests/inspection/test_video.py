from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

import cv2

from mintad.errors import DataError
from mintad.inspection.video import frames


@pytest.fixture
def film(tmp_path: Path) -> Path:
    file = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(6):
        blue_green_red = np.zeros((48, 64, 3), np.uint8)
        blue_green_red[..., 2] = 40 * number  # red
        writer.write(blue_green_red)
    writer.release()
    return file


def test_frames_are_rgb_in_order(film: Path) -> None:
    shown = list(frames(film))
    assert [frame.shape for frame in shown] == [(48, 64, 3)] * 6
    assert [round(float(frame[..., 0].mean()) / 40) for frame in shown] == list(range(6))
    assert max(frame[..., 2].max() for frame in shown) < 20


def test_frames_may_be_left_out(film: Path) -> None:
    assert [round(frame[..., 0].mean() / 40) for frame in frames(film, every=2)] == [0, 2, 4]


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.avi"):
        frames(tmp_path / "none.avi")
