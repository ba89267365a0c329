"""Trains and measures a peer: raw maps and scores, through mintad's metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mintad.data import Dataset, Sample, decode_image
from mintad.metrics import EvaluationConfig, MetricTable, StreamingMetrics, sample_mask
from mintad_lab.peers.catalogue import Peer
from mintad_lab.peers.fitting import fit, images_of
from mintad_lab.peers.networks import build


class PeerMethod:
    """A peer as a row of a table: its models see images alone, and are told no product.

    Raises whatever anomalib raises.
    """

    def __init__(self, peer: Peer, seed: int) -> None:
        self.peer = peer
        self.seed = seed
        self.model: Any = None
        self.bytes = 0

    def train(self, good: Dataset, folder: Path) -> float:
        """Trains a model; the seconds it took. It leaves nothing in `folder`."""
        torch.manual_seed(self.seed)
        np.random.seed(self.seed)
        start = time.perf_counter()
        module = build(self.peer)
        fit(module, good.samples, self.peer, self.seed)
        seconds = time.perf_counter() - start
        self.model = module.model
        self.bytes += stored_bytes(self.model)
        return seconds

    def evaluate(self, parts: Iterable[Dataset]) -> tuple[MetricTable, EvaluationConfig]:
        """Measures raw maps and scores at the peer's size, each part with its own model."""
        metrics = StreamingMetrics()
        images = [self._measure(test.samples, metrics) for test in parts]
        config = EvaluationConfig(
            bundles=len(images),
            model=self.peer.name,
            seed=self.seed,
            evaluation_size=(self.peer.size, self.peer.size),
            product_given=len(images) > 1,
            scores="raw: of anomalib",
            images=sum(images),
        )
        return metrics.result(), config

    def about(self) -> dict[str, Any]:
        """The bytes that its models keep beyond a frozen backbone."""
        return {"model_bytes": self.bytes}

    @torch.inference_mode()
    def _measure(self, samples: Sequence[Sample], metrics: StreamingMetrics) -> int:
        for batch, images in images_of(samples, self.peer):
            prediction = self.model(images)
            maps = prediction.anomaly_map
            maps = maps.reshape(len(batch), 1, *maps.shape[-2:]).float()
            maps = torch.nn.functional.interpolate(maps, images.shape[2:], mode="bilinear")
            scores = prediction.pred_score.flatten().tolist()
            for sample, score, anomaly_map in zip(batch, scores, maps[:, 0].numpy(), strict=True):
                metrics.update(
                    sample.product,
                    score=score,
                    label=int(sample.label or 0),
                    anomaly_map=anomaly_map,
                    mask=_mask(sample),
                )
        return len(samples)


def stored_bytes(model: Any) -> int:
    """What a model needs beyond a frozen backbone."""
    frozen = ("feature_extractor", "teacher_model", "encoder.", "teacher.")
    return sum(
        value.numel() * value.element_size()
        for name, value in model.state_dict().items()
        if not name.startswith(frozen)
    )


def _mask(sample: Sample) -> NDArray[np.bool_] | None:
    """The mask of the whole picture; None for a good image, which needs none."""
    if sample.label == 0 or sample.mask is None:
        return None
    height, width = decode_image(sample.image).shape[:2]
    return sample_mask(sample, (height, width))
