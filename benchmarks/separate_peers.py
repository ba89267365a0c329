"""anomalib's PatchCore and PaDiM, one model per product, on mintad's backbone and metrics.

    MINTAD_DATA=... python benchmarks/separate_peers.py --line line-5 --size 224

Both see the same prepared images as mintad and have the same weights of EfficientNet-Lite2; each
product has a model of its own. Pooled metrics compare raw scores of different models. It needs
`pip install "mintad[train]" "anomalib>=2.7"`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.models.image.padim.torch_model import PadimModel
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from torch import Tensor, nn

from mintad.data import Preprocessing, Sample, load_batches, normalise, prepare_mask, read
from mintad.evaluation import sample_mask
from mintad.features import Backbone, BackboneConfig, create_backbone
from mintad.metrics import Evaluator
from recipes import SETS, data_roots, per_product

STAGES = {"patchcore": [2, 3], "padim": [1, 2, 3]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--line", choices=SETS, default="line-5")
    parser.add_argument("--methods", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--coreset", type=float, default=0.02, help="PatchCore's share kept")
    parser.add_argument("--features", type=int, default=100, help="PaDiM's channels, drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/separate-peers"))
    options = parser.parse_args()

    size = (options.size, options.size)
    backbone = create_backbone(
        BackboneConfig(name="efficientnet_lite2", stages=(1, 2, 3, 4), input_size=size)
    )
    preprocessing = backbone.preprocessing()
    dataset = read(*data_roots(options.line))
    options.out.mkdir(parents=True, exist_ok=True)
    for method in options.methods:
        evaluator, seconds, sizes = Evaluator(), 0.0, 0
        for product in dataset.products:
            torch.manual_seed(options.seed)
            model = build(method, backbone, options.features)
            mine = dataset.where(lambda sample, name=product: sample.product == name)
            start = time.perf_counter()
            with torch.inference_mode():
                fit(model, list(mine.train), preprocessing, options.coreset)
                seconds += time.perf_counter() - start
                sizes += stored_bytes(model)
                measure(model, list(mine.test), preprocessing, evaluator)
            print(f"{method} {product}: {seconds:.0f} s so far", flush=True)
        evaluation = evaluator.result().to_json()
        products = len(dataset.products)
        content: dict[str, Any] = {
            "method": method,
            "line": options.line,
            "size": options.size,
            "coreset": options.coreset if method == "patchcore" else None,
            "train_seconds": seconds,
            "bytes_per_product": sizes / products,
            "evaluation": evaluation,
        }
        text = json.dumps(content, indent=2)
        (options.out / f"{method}-{options.size}.json").write_text(text, encoding="utf-8")
        print(f"\n{method}: {seconds:.0f} s, {sizes / products / 1e6:.1f} MB per product\n")
        print(per_product(evaluation))


def build(method: str, backbone: Backbone, features: int) -> nn.Module:
    """anomalib's network with mintad's weights."""
    name = backbone.spec.timm_name.split(".")[0]
    common = {"backbone": name, "layers": STAGES[method], "pre_trained": False}
    model = (
        PatchcoreModel(**common)
        if method == "patchcore"
        else PadimModel(**common, n_features=features)
    )
    network = model.feature_extractor.feature_extractor
    missing, _ = network.load_state_dict(backbone.network.state_dict(), strict=False)
    if missing:
        raise SystemExit(f"The weights do not fit anomalib's network: {missing[:3]} are missing.")
    return model


def fit(
    model: nn.Module, samples: list[Sample], preprocessing: Preprocessing, coreset: float
) -> None:
    """One pass over the good images, then the memory bank or the Gaussians."""
    model.train()
    model.feature_extractor.eval()
    for _, images in prepared(samples, preprocessing):
        model(images)
    if isinstance(model, PatchcoreModel):
        model.subsample_embedding(coreset)
    else:
        model.fit()
    model.eval()


def measure(
    model: nn.Module, samples: list[Sample], preprocessing: Preprocessing, evaluator: Evaluator
) -> None:
    """Raw maps and scores, through mintad's metrics."""
    for batch, images in prepared(samples, preprocessing):
        found = model(images)
        maps = found.anomaly_map.reshape(len(batch), *images.shape[2:]).numpy()
        for sample, score, anomaly_map in zip(batch, found.pred_score, maps, strict=True):
            mask = sample_mask(sample, image_size(sample))
            evaluator.update(
                sample.product,
                score=float(score),
                label=int(sample.label or 0),
                anomaly_map=np.ascontiguousarray(anomaly_map, np.float32),
                mask=None if mask is None else prepare_mask(mask, preprocessing),
            )


def prepared(
    samples: list[Sample], preprocessing: Preprocessing
) -> Iterator[tuple[tuple[Sample, ...], Tensor]]:
    """Batches of samples with their normalised images `(B, 3, h, w)`."""
    for batch in load_batches(samples, preprocessing, (), batch_size=16):
        yield batch.samples, torch.from_numpy(normalise(batch.images, preprocessing))


def image_size(sample: Sample) -> tuple[int, int]:
    """Rows and columns of the image as it is on disk."""
    from PIL import Image

    with Image.open(sample.image) as image:
        return image.height, image.width


def stored_bytes(model: nn.Module) -> int:
    """What a product's model needs beyond the backbone."""
    tensors = model.state_dict()
    own = {name: value for name, value in tensors.items() if "feature_extractor" not in name}
    return sum(value.numel() * value.element_size() for value in own.values())


if __name__ == "__main__":
    main()
