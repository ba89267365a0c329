"""Two processes train as one process with the doubled batch."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import mintad
from mintad.training import LOG_FILE


@pytest.fixture
def threads() -> Iterator[None]:
    """Two of them, which a process that is forked does not have."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.ones(1000, 1000) @ torch.ones(1000, 1000)  # now they are there
    yield
    torch.set_num_threads(before)


FORK_AFTER_EXPORT = """
import os
import sys
from pathlib import Path

import torch

from mintad.exporting.graph import write_onnx


class Mean(torch.nn.Module):
    image_size = (8, 8)

    def forward(self, images, products):
        return {"raw_score": images.float().mean(dim=(1, 2, 3)) + products}


def step():
    (torch.ones(2, 2, requires_grad=True) ** 2).sum().backward()


write_onnx(Mean(), Path(sys.argv[1]))
step()
child = os.fork()
if child == 0:
    step()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_processes_can_be_forked_after_an_export_and_a_training(tmp_path: Path) -> None:
    words = [sys.executable, "-c", FORK_AFTER_EXPORT, str(tmp_path / "model.onnx")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def losses(run: Path) -> list[float]:
    with (run / LOG_FILE).open(encoding="utf-8") as file:
        return [float(line["loss"]) for line in csv.DictReader(file)]


@pytest.mark.usefixtures("threads")
def test_two_processes_give_the_losses_of_one_with_the_doubled_batch(
    tree: Path, tiny_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    common: dict[str, Any] = {
        "training.epochs": 3,
        "training.precision": "float32",
        "switches.dropout": 0.0,
    }
    for name, size, processes in (("one", 6, 1), ("two", 3, 2)):
        options = {"training.batch_size": size, "training.processes": processes}
        mintad.train(
            tree, tmp_path / name, recipe=tiny_recipe, cache=cache, overrides=common | options
        )
    alone, shared = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(alone) == 3
    np.testing.assert_allclose(shared, alone, rtol=1e-5)
    ours = mintad.load(tmp_path / "one").tensors("model.safetensors")
    theirs = mintad.load(tmp_path / "two").tensors("model.safetensors")
    for name, value in ours.items():
        if name.endswith("key.bias"):  # softmax does not see it: its gradient is rounding alone
            continue
        np.testing.assert_allclose(theirs[name], value, atol=1e-5, err_msg=name)
