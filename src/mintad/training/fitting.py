"""Fits a model: the closed form first, then the epochs of the recipe."""

from __future__ import annotations

import csv
import logging
import pickle
import signal
import threading
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from mintad.errors import ConfigError
from mintad.models import AnomalyModel
from mintad.system.files import raise_storage_error, replacing
from mintad.system.processor import has_bfloat16
from mintad.system.progress import Progress
from mintad.training import CHECKPOINT, LOG_FILE
from mintad.training.features import TrainingFeatures
from mintad.training.module import TrainingModule
from mintad.training.recipe import Recipe


class SaveEachEpoch(Callback):
    """Keeps the state after every epoch in one file, whole or as it was before."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: Trainer, _: object) -> None:
        """Writes the checkpoint beside its place and renames it; one of the processes does."""
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.path)  # waits for the one that writes
            return
        with replacing(self.path) as temporary:
            trainer.save_checkpoint(temporary)


class LogEachEpoch(Callback):
    """Adds a line to a CSV file after every epoch: the epoch, the steps done, the losses."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: Trainer, _: object) -> None:
        """Writes the line, and first of all a header; an epoch done again has its line already.

        All processes ask for the means, which joins them; one of them writes.
        """
        values = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        if not trainer.is_global_zero:
            return
        line = {"epoch": trainer.current_epoch, "step": trainer.global_step, **values}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        known = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        if known and known[-1].startswith(f"{trainer.current_epoch},"):
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(line))
            if not known:
                writer.writeheader()
            writer.writerow(line)


class StopBetweenSteps(Callback):
    """Raises `KeyboardInterrupt` before the next step once it was asked for."""

    asked = False

    def on_train_batch_start(self, *_: object) -> None:
        """Before every step."""
        if self.asked:
            raise KeyboardInterrupt


class ShowProgress(Callback):
    """Tells how many steps are done, and how many there are."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        """After every step."""
        self.progress("training", trainer.global_step, int(trainer.estimated_stepping_batches))


class OneThread(Callback):
    """One thread in each of several processes.

    They are forked, and the threads that OpenMP started before stayed behind: a process that uses
    more than one would wait for them for ever.
    """

    def setup(self, *_: object, **__: object) -> None:
        """Before the first step, in the process that trains."""
        torch.set_num_threads(1)


def precision(recipe: Recipe) -> str:
    """The precision that this machine trains a recipe in: `float32` or `bfloat16`."""
    chosen = recipe.training.precision
    if chosen != "auto":
        return chosen
    on_gpu = torch.cuda.is_available()
    has_it = torch.cuda.is_bf16_supported() if on_gpu else has_bfloat16()
    return "bfloat16" if has_it else "float32"


def fit(
    model: AnomalyModel,
    features: TrainingFeatures,
    recipe: Recipe,
    run: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> AnomalyModel:
    """The fitted model, in eval mode: the last epoch's, never a chosen one.

    With `resume` the run goes on after its last whole epoch, or begins where there was none, and
    ends with the same weights as if it had never stopped. Raises `StorageError` on a full disk,
    `KeyboardInterrupt` on Ctrl-C; the last checkpoint stays.
    """
    checkpoint = run / CHECKPOINT
    resume = resume and checkpoint.is_file()
    if resume:
        _check_checkpoint(checkpoint)
    if not resume:
        model.fit(features.in_order)
    if recipe.training.epochs == 0 or not model.trainable:
        return model.eval()

    module = TrainingModule(model, features, recipe.training, recipe.seed)
    stop = StopBetweenSteps()
    callbacks = [stop, LogEachEpoch(run / LOG_FILE), SaveEachEpoch(checkpoint)]
    if recipe.training.processes > 1:
        callbacks.append(OneThread())
    if progress is not None:
        callbacks.append(ShowProgress(progress))
    trainer = _trainer(recipe, run, callbacks)
    try:
        with _interrupts(trainer, stop):
            trainer.fit(module, ckpt_path=checkpoint if resume else None, weights_only=True)
    except OSError as error:
        raise_storage_error(error, run)
    return module.result


def _check_checkpoint(file: Path) -> None:
    """Raises `ConfigError` for a checkpoint that was changed, or holds more than numbers.

    It is a ZIP archive, whose checksums torch does not look at; what it unpickles is limited to
    tensors and plain values, so that no code of a file is run.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged is None:
            torch.load(file, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        damaged = file.name
    if damaged is not None:
        raise ConfigError(
            f"The checkpoint {file} is damaged, or it is not from mintad.",
            "Delete it: the run then begins anew with --resume, and its features are kept.",
        )


@contextmanager
def _interrupts(trainer: Trainer, stop: StopBetweenSteps) -> Iterator[None]:
    """Ctrl-C becomes a `KeyboardInterrupt` after the step that runs, a second one at once.

    In the middle of a step it could leave the writer of the logs waiting for ever. Lightning
    turns it into an exit, and ignores the next one, which is undone here.
    """
    handler = signal.getsignal(signal.SIGINT)
    is_ours = (
        handler is signal.default_int_handler
        and threading.current_thread() is threading.main_thread()
    )

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            signal.default_int_handler(number, frame)
        stop.asked = True

    if is_ours:
        signal.signal(signal.SIGINT, ask)
    try:
        yield
        if stop.asked:
            raise KeyboardInterrupt
    except SystemExit:
        if not trainer.interrupted:
            raise
        raise KeyboardInterrupt from None
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, handler)


def _trainer(recipe: Recipe, run: Path, callbacks: list[Callback]) -> Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    processes = recipe.training.processes
    return Trainer(
        accelerator="auto" if processes == 1 else "cpu",
        devices=processes,
        strategy="auto" if processes == 1 else "ddp_fork_find_unused_parameters_true",
        max_epochs=recipe.training.epochs,
        precision="bf16-mixed" if precision(recipe) == "bfloat16" else "32-true",
        gradient_clip_val=recipe.training.clip_norm,
        logger=TensorBoardLogger(run, name="", version=Path(LOG_FILE).parent.name),
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
    )
