"""Every registered model as a graph: what OpenVINO and ONNX Runtime say is what torch says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch

from mintad.assembly import Network, build_model
from mintad.backbones import BackboneConfig
from mintad.bundle import RawPrediction
from mintad.engines import Engine, OnnxEngine, OpenVinoEngine, TorchEngine
from mintad.engines.deviation import deviation
from mintad.exporting.graph import write_onnx, write_openvino
from mintad.models import list_models, model_class
from mintad.system.openvino_runtime import compile_model, openvino
from mintad.training.recipe import Recipe, TrainingConfig

pytestmark = pytest.mark.filterwarnings("ignore:The backbone .* has random weights:UserWarning")

PRODUCTS = 3
SMALL = {"dim": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1, "decoder_layers": 2}
SWITCHES: dict[str, dict[str, Any]] = {
    "mint-ad": {**SMALL, "token_dim": 8, "token_activation": "layernorm"},
    **{name: {**SMALL, "mask_window": 3} for name in list_models() if name.startswith("uniad")},
    "snl-stfpm": {"centres": 5},
    "snl-rd4ad": {"centres": 5},
}


def network(name: str, images: NDArray[np.uint8], products: NDArray[np.int64]) -> Network:
    """The model on a small backbone, fitted to the images and a few steps into its training."""
    torch.manual_seed(0)
    needs = model_class(name).requirements
    recipe = Recipe(
        name=name,
        model=name,
        switches=SWITCHES.get(name, {}),
        backbone=BackboneConfig(
            name="timm:test_efficientnet",
            stages=(1, 2),
            weights="random",
            input_size=(64, 64),
            stride=8,
            sampling="native" if needs.features == "stages" else "bilinear",
            image=needs.image,
        ),
        training=TrainingConfig(epochs=0),
    )
    names = [str(number) for number in range(PRODUCTS)]
    inspection = build_model(recipe, names, texts=torch.randn(PRODUCTS, 6))
    model = inspection.model
    normalised = (torch.from_numpy(images).float() - inspection.mean) / inspection.std
    with torch.no_grad():
        features = inspection.backbone(normalised.permute(0, 3, 1, 2))
    numbers = torch.from_numpy(products)

    def batches(product: int | None = None) -> list[tuple[Any, Any]]:
        rows = torch.ones_like(numbers, dtype=torch.bool) if product is None else numbers == product
        return [(features[rows], numbers[rows])]

    model.fit(batches)
    optimizer = torch.optim.Adam(model.train().parameters(), lr=3e-3)
    for _ in range(5):
        optimizer.zero_grad()
        model.loss(features, numbers)["loss"].backward()
        optimizer.step()
    return inspection.eval()


class AnyBatch:
    """An OpenVINO graph as others may run it: whole batches of any size."""

    def __init__(self, file: Path) -> None:
        self.graph = compile_model(
            openvino.Core().read_model(file), {"INFERENCE_PRECISION_HINT": "f32"}
        )

    def predict(self, images: NDArray[np.uint8], products: NDArray[np.int64]) -> RawPrediction:
        answer = self.graph([images, products])
        return RawPrediction(**{port.get_any_name(): answer[port] for port in self.graph.outputs})


@pytest.mark.parametrize("name", list_models())
def test_both_graphs_say_what_torch_says_at_every_batch_size(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINTAD_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    products = np.arange(9) % PRODUCTS
    inspection = network(name, images, products)
    numbers = products if inspection.model.requirements.product else np.full_like(products, -1)
    expected = TorchEngine(inspection).predict(images, numbers)
    assert expected.raw_score.std() > 0

    outputs = write_onnx(inspection, tmp_path / "model.onnx")
    assert ("class_token" in outputs) == (name == "mint-ad")
    write_openvino(tmp_path / "model.onnx", tmp_path / "model.xml")
    engines: tuple[Engine, ...] = (
        OnnxEngine(tmp_path / "model.onnx", outputs),
        OpenVinoEngine(tmp_path / "model.xml", outputs),
        AnyBatch(tmp_path / "model.xml"),
    )
    for engine in engines:
        for batch in (1, 3, 8):
            part = RawPrediction(*(None if field is None else field[:batch] for field in expected))
            answer = engine.predict(images[:batch], numbers[:batch])
            assert deviation(part, answer).tolerable, (batch, deviation(part, answer))
            assert deviation(part, answer).products == 1
            for right, field in zip(part[2:], answer[2:], strict=True):
                assert (right is None) == (field is None)
                if right is not None and field is not None:
                    np.testing.assert_allclose(field, right, rtol=2e-3, atol=2e-3)
