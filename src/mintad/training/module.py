"""The Lightning module: one training step for every method."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, StepLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from mintad.models import AnomalyModel
from mintad.training.features import EpochBatches, TrainingBatch, TrainingFeatures
from mintad.training.recipe import TrainingConfig


class TrainingModule(LightningModule):
    """Steps a model on cached features; the same seed gives the same weights, resumed or not."""

    def __init__(
        self, model: AnomalyModel, features: TrainingFeatures, config: TrainingConfig, seed: int
    ) -> None:
        super().__init__()
        self.model = model
        self.features = features
        self.training_config = config
        self.seed = seed
        self.averaged = (
            AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.average))  # type: ignore[no-untyped-call]
            if config.average > 0
            else None
        )
        if self.averaged is not None:
            self.averaged.requires_grad_(False)

    @property
    def result(self) -> AnomalyModel:
        """The model to keep: the moving average where there is one, else the last weights."""
        model = self.model if self.averaged is None else self.averaged.module
        assert isinstance(model, AnomalyModel)
        return model.eval()

    def train_dataloader(self) -> DataLoader[TrainingBatch]:
        """The batches of the current epoch; asked for anew in each one."""
        batches = EpochBatches(
            self.features,
            self.training_config.batch_size,
            self.seed,
            self.current_epoch,
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        return DataLoader(batches, batch_size=None, num_workers=0)

    def training_step(self, batch: TrainingBatch, step: int) -> Tensor:
        """The loss of one batch.

        An image's jitter comes from its own seed, so that two processes train as one with the
        doubled batch; dropout is drawn per step and process, so that a resumed run goes on alike.
        """
        place = (self.seed, self.current_epoch, step, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0]))
        features = self.features.unpacked(batch.rows)
        parts = self.model.loss(features, batch.products, batch.seeds)
        self.log_dict(
            {name: value.detach() for name, value in parts.items()},
            prog_bar=True,
            on_step=False,
            on_epoch=True,
            batch_size=len(batch.products),
            sync_dist=self.trainer.world_size > 1,
        )
        return parts["loss"] * batch.weight

    def on_train_batch_end(self, *_: Any) -> None:
        """Moves the average after each step."""
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW in one kernel, with the schedule of the recipe."""
        config = self.training_config
        optimizer = torch.optim.AdamW(
            [parameter for parameter in self.model.parameters() if parameter.requires_grad],
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=True,
        )
        optimizer._step_supports_amp_scaling = False  # else Lightning clips no gradient before it
        scheduler: LRScheduler
        if config.schedule == "one-cycle":
            steps = int(self.trainer.estimated_stepping_batches)
            scheduler = OneCycleLR(optimizer, config.learning_rate, total_steps=max(steps, 2))
            interval = "step"
        else:
            drop = config.epochs * 4 // 5 if config.schedule == "step" else config.epochs
            scheduler = StepLR(optimizer, step_size=max(drop, 1), gamma=0.1)
            interval = "epoch"
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": interval},
        }
