"""Runs a peer over test images: raw maps and scores, through mintad's metrics."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mintad.data import Dataset, Preprocessing, Sample, decode_image, prepare_mask
from mintad.metrics import MetricTable, StreamingMetrics
from mintad.metrics.evaluation import sample_mask
from mintad_lab.peers.catalogue import Peer
from mintad_lab.peers.fitting import fit, images_of, preprocessing
from mintad_lab.peers.networks import build

Outcome = dict[str, Any]


def run_peer(peer: Peer, dataset: Dataset, *, separate: bool, seed: int) -> Outcome:
    """Trains and measures a peer: one model over all products, or one for each.

    The outcome has the evaluation, the image scores, the seconds of training and of inspection,
    and the bytes that the models keep. Raises whatever anomalib raises.
    """
    good = dataset.good
    test = dataset.test.where(lambda sample: sample.label is not None)
    parts = [(list(good), list(test))]
    if separate:
        parts = [
            (
                [sample for sample in good if sample.product == product],
                [sample for sample in test if sample.product == product],
            )
            for product in good.products
        ]
    evaluator = StreamingMetrics()
    trained = inspected = 0.0
    size = 0
    for train_part, test_part in parts:
        torch.manual_seed(seed)
        np.random.seed(seed)
        start = time.perf_counter()
        module = build(peer)
        fit(module, train_part, peer, seed)
        trained += time.perf_counter() - start
        start = time.perf_counter()
        measure(module.model, test_part, peer, evaluator)
        inspected += time.perf_counter() - start
        size += stored_bytes(module.model)
    return {
        **evaluation_json(evaluator.result(), peer, separate),
        "seconds": trained,
        "inspection_seconds": inspected,
        "model_bytes": size,
    }


@torch.inference_mode()
def measure(model: Any, samples: Sequence[Sample], peer: Peer, evaluator: StreamingMetrics) -> None:
    """Adds the raw maps and scores of `samples`, in their order, at the peer's size."""
    prepared = preprocessing(peer)
    for batch, images in images_of(samples, peer):
        found = model(images)
        maps = found.anomaly_map.reshape(len(batch), *found.anomaly_map.shape[-2:])
        maps = torch.nn.functional.interpolate(
            maps[:, None].float(), images.shape[2:], mode="bilinear"
        )[:, 0]
        for sample, score, anomaly_map in zip(
            batch, found.pred_score.flatten(), maps.numpy(), strict=True
        ):
            evaluator.update(
                sample.product,
                score=float(score),
                label=int(sample.label or 0),
                anomaly_map=anomaly_map,
                mask=_mask(sample, prepared),
            )


def evaluation_json(evaluation: MetricTable, peer: Peer, separate: bool) -> Outcome:
    """The evaluation in the form that `mintad evaluate --json` writes, and every image score."""
    images = sum(len(labels) for _, labels in evaluation.scores.values())
    return {
        "evaluation": {
            **evaluation.to_json(),
            "config": {
                "evaluation_size": [peer.size, peer.size],
                "product_given": separate,
                "product_accuracy": None,
                "scores": "raw",
                "images": images,
            },
        },
        "scores": {
            name: {"scores": scores.tolist(), "labels": labels.tolist()}
            for name, (scores, labels) in evaluation.scores.items()
        },
    }


def stored_bytes(model: Any) -> int:
    """What a model needs beyond a frozen backbone."""
    frozen = ("feature_extractor", "teacher_model", "encoder.", "teacher.")
    return sum(
        value.numel() * value.element_size()
        for name, value in model.state_dict().items()
        if not name.startswith(frozen)
    )


def _mask(sample: Sample, prepared: Preprocessing) -> NDArray[np.bool_] | None:
    """The mask in the geometry of the map; None for a good image, which needs none."""
    if sample.label == 0 or sample.mask is None:
        return None
    height, width = decode_image(sample.image).shape[:2]
    mask = sample_mask(sample, (height, width))
    return None if mask is None else prepare_mask(mask, prepared)
