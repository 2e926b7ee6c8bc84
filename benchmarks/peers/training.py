"""One training, the same for the limit and every peer: a bare Trainer, a TensorBoard version, a checkpoint."""

import importlib
import inspect
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

from benchmarks.peers.assignment import Assignment

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module="pytorch_lightning")


def train(
    assignment: Assignment, values: Mapping[str, Any], folder: Path, callbacks: Sequence[pl.Callback] = (), **more: Any
) -> float:
    """Train once with these values, and return the metric after the last epoch.

    No validation before training, as nobody but Lightning's default asks for it: all contestants run the same batches.
    """
    program = importlib.import_module(assignment.program)
    for name, value in values.items():
        setattr(program, name, value)
    pl.seed_everything(assignment.seed, workers=True, verbose=False)
    logger = TensorBoardLogger(folder, name="", version="", flush_secs=1)  # read while it is written
    logger.log_hyperparams(dict(values))
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=assignment.epochs,
        logger=logger,
        callbacks=list(callbacks),
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        **more,
    )
    trainer.fit(_model(program), *program.dataloaders())
    return float(trainer.callback_metrics[assignment.metric])


def _model(program: Any) -> pl.LightningModule:
    (cls,) = [
        value
        for value in vars(program).values()
        if inspect.isclass(value) and issubclass(value, pl.LightningModule) and value.__module__ == program.__name__
    ]
    return cls()
