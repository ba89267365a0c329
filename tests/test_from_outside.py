"""A package beside mintad adds a model and a backbone; they train, export and inspect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

METHOD = '''
"""The distance of each position from the mean of its product's good images."""

import torch

from mintad.features import Features, FeatureShape
from mintad.models import (
    AnomalyModel, ModelConfig, Prediction, Requirements, image_score, register_model, single_grid,
)


class MeanConfig(ModelConfig):
    """Switches."""

    power: float = 2.0


@register_model("mean-distance", paper="none")
class MeanDistance(AnomalyModel):
    """A mean per product and position."""

    config_class = MeanConfig
    requirements = Requirements(product=True, image=True)

    def __init__(self, config: MeanConfig, shape: FeatureShape, products: int) -> None:
        super().__init__(config, shape, products)
        self.grid = single_grid(shape)
        self.register_buffer("mean", torch.zeros(products, shape.positions, shape.channels))

    def fit(self, batches):
        for product in range(self.products):
            tokens = torch.cat([features.tokens for features, _ in batches(product)])
            self.mean[product] = tokens.mean(dim=0)

    def predict(self, features: Features, products=None) -> Prediction:
        assert features.image.shape[1:] == (3, *self.shape.image_size)
        difference = features.tokens - self.mean[self.named(products)]
        distance = difference.abs().pow(self.config.power).mean(dim=2)
        anomaly_map = self.upsample(distance.unflatten(1, self.grid))
        return Prediction(anomaly_map, image_score(anomaly_map, "max"), None)
'''

BACKBONE = '''
"""Two convolutions."""

from mintad.backbones import BackboneSpec, Stage, register_backbone

register_backbone(
    BackboneSpec(
        name="two-convolutions",
        network="outside_network:build",
        stages=(Stage(4, 4), Stage(6, 8)),
        default_stages=(0, 1),
        licence="MIT",
        source="nowhere",
        input_size=(64, 64),
        stride=8,
    )
)
'''

NETWORK = """
import torch
from torch import nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 7, stride=4, padding=3)
        self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)

    def forward(self, images):
        first = self.first(images).relu()
        return [first, self.second(first).relu()]


def build():
    return Network()
"""

RECIPE = """
model = "mean-distance"

[backbone]
name = "two-convolutions"
weights = "random"
image = true

[training]
epochs = 0
"""

SCRIPT = """
import sys
from pathlib import Path

import mintad

data, out, recipe = map(Path, sys.argv[1:])
assert "two-convolutions" in mintad.list_backbones()
assert "torch" not in sys.modules

from mintad.models import describe_models

assert "mean-distance" in mintad.list_models()
assert [method["paper"] for method in describe_models() if method["name"] == "mean-distance"]
bundle = mintad.train(data, out, recipe=recipe, cache=out / "cache")
assert bundle.manifest.graph("openvino", "float32"), bundle.manifest.graph_problem
assert bundle.manifest.model.shape.grids == ((8, 8),)
assert bundle.manifest.backbone.config.stages == (0, 1)
images = sorted(data.glob("stripes/test/*/*.png"))
found = {
    engine: [part.raw_score for part in mintad.Inspector(bundle, engine=engine)(images, "stripes")]
    for engine in ("openvino:float32", "torch")
}
for graph, torch in zip(*found.values(), strict=True):
    assert abs(graph - torch) < 0.01 * torch
scores = found["torch"]
assert max(scores[:4]) < min(scores[4:])  # good, then with a hole
"""


def write_package(place: Path) -> None:
    """The package as pip would leave it."""
    for name, text in (("method", METHOD), ("backbone", BACKBONE), ("network", NETWORK)):
        (place / f"outside_{name}.py").write_text(text, encoding="utf-8")
    about = place / "outside-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n", "utf-8")
    points = "[mintad.models]\nmean-distance = outside_method\n"
    points += "[mintad.backbones]\ntwo-convolutions = outside_backbone\n"
    (about / "entry_points.txt").write_text(points, encoding="utf-8")


def test_a_model_and_a_backbone_of_another_package_train_export_and_inspect(
    tree: Path, tmp_path: Path
) -> None:
    place = tmp_path / "site"
    place.mkdir()
    write_package(place)
    recipe = tmp_path / "outside.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    path = os.pathsep.join([str(place), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    environment = os.environ | {"PYTHONPATH": path, "MINTAD_CACHE": str(tmp_path / "cache")}

    words = [sys.executable, "-c", SCRIPT, str(tree), str(tmp_path / "run"), str(recipe)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
