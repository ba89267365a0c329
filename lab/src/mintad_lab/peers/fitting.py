"""Trains one of anomalib's methods on good images, within a peer's budget."""

from __future__ import annotations

import ctypes
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mintad.backbones import backbone_spec
from mintad.data import Preprocessing, Sample, decode_image, load_batches, normalise, prepare_image
from mintad_lab.peers.catalogue import BACKBONE, Peer

BANK = 2_000
"""The most vectors that PatchCore keeps."""

CANDIDATES = 20_000
"""The most vectors that they are chosen among."""

_MMAP_THRESHOLD = -3
"""glibc's M_MMAP_THRESHOLD."""

HELD_OUT = 0.1
"""The share of good images that EfficientAD sets its quantiles by."""


def preprocessing(peer: Peer) -> Preprocessing:
    """The whole picture at the peer's size, with the mean and deviation that its backbone asks for.

    Those of ImageNet, unless the backbone is mintad's own.
    """
    if peer.backbone != "ours":
        return Preprocessing(height=peer.size, width=peer.size)
    spec = backbone_spec(BACKBONE)
    return Preprocessing(height=peer.size, width=peer.size, mean=spec.mean, std=spec.std)


def images_of(samples: Sequence[Sample], peer: Peer) -> Iterator[tuple[tuple[Sample, ...], Tensor]]:
    """Batches of samples with their images `float32 (B, 3, size, size)`."""
    for batch in load_batches(samples, preprocessing(peer), (), batch_size=peer.batch_size):
        yield batch.samples, _inputs(batch.images, peer)


def _inputs(images: NDArray[np.uint8], peer: Peer) -> Tensor:
    """Prepared images `uint8 (B, size, size, 3)` as the peer's network takes them."""
    if peer.normalised:
        return torch.from_numpy(normalise(images, preprocessing(peer)))
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def fit(module: Any, samples: Sequence[Sample], peer: Peer, seed: int) -> None:
    """Leaves `module.model` trained and in eval mode. `samples` are good images alone."""
    if peer.epochs:
        _train(module, samples, peer, seed)
    else:
        _remember(module.model, samples, peer)
    module.model.eval()


@torch.inference_mode()
def _remember(model: Any, samples: Sequence[Sample], peer: Peer) -> None:
    """One pass over the images, then the Gaussians or the memory bank."""
    model.train()
    model.feature_extractor.eval()
    for _, images in images_of(samples, peer):
        model(images)
    if not hasattr(model, "subsample_embedding"):
        model.fit()
        return
    vectors = torch.vstack(model.embedding_store)  # (N, C)
    if len(vectors) > CANDIDATES:
        vectors = vectors[torch.randperm(len(vectors))[:CANDIDATES]]
    model.embedding_store = [vectors]
    with _large_memory_apart():
        model.subsample_embedding(min(1.0, BANK / len(vectors)))


@contextmanager
def _large_memory_apart() -> Iterator[None]:
    """Makes glibc map every piece of memory above 1 MB by itself, and give it back at once.

    PatchCore's choice makes distances of 20 MB and keeps a single number in each of its rounds. The
    numbers came to lie where the next distances no longer fitted in, until 20 GB were taken.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 2**20)
    try:
        yield
    finally:
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, 2**25)  # the most that glibc itself would come to


def _train(module: Any, samples: Sequence[Sample], peer: Peer, seed: int) -> None:
    data = _Images(samples, peer, seed)
    arguments: dict[str, Any] = dict(getattr(module, "trainer_arguments", {}))
    arguments.pop("max_epochs", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_epochs=peer.epochs,
            accelerator="auto",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=1.0 if peer.name == "efficient-ad" else 0.0,
            **{"num_sanity_val_steps": 0, **arguments},
        )
        trainer.fit(module, datamodule=data)


class _Prepared(Dataset[Tensor]):
    """Each item is an image `float32 (3, size, size)`."""

    def __init__(self, samples: Sequence[Sample], peer: Peer) -> None:
        self.samples = samples
        self.peer = peer

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Tensor:
        pixels = decode_image(self.samples[number].image)
        return _inputs(prepare_image(pixels, preprocessing(self.peer))[None], self.peer)[0]


class _Images(lightning.LightningDataModule):
    """Good images in the form that anomalib's methods ask a trainer for."""

    def __init__(self, samples: Sequence[Sample], peer: Peer, seed: int) -> None:
        super().__init__()
        order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed)).tolist()
        held = round(HELD_OUT * len(samples)) if peer.name == "efficient-ad" else 0
        self.kept = _Prepared([samples[number] for number in sorted(order[held:])], peer)
        self.held = _Prepared([samples[number] for number in order[:held]], peer)
        self.train_batch_size = peer.batch_size
        self.seed = seed

    def train_dataloader(self) -> DataLoader[Any]:
        """All that are not held out, in a new order every epoch, in whole batches."""
        return DataLoader(
            self.kept,
            batch_size=self.train_batch_size,
            shuffle=True,
            drop_last=len(self.kept) > self.train_batch_size,
            collate_fn=_batch,
            generator=torch.Generator().manual_seed(self.seed),
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Those that are held out."""
        return DataLoader(self.held, batch_size=1, collate_fn=_batch)


def _batch(images: list[Tensor]) -> Any:
    from anomalib.data import ImageBatch

    return ImageBatch(
        image=torch.stack(images), gt_label=torch.zeros(len(images), dtype=torch.bool)
    )
