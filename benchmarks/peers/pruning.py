"""Optuna's Lightning pruning callback, for one process a trial.

optuna-integration's ``PyTorchLightningPruningCallback`` does this, beside what several processes of one trial need. It
is written again here so that it holds with the Optuna and the Lightning that are installed.
"""

from typing import Any

import optuna
import pytorch_lightning as pl


class PruningCallback(pl.Callback):
    """Report the metric after each validation, and end the trial where Optuna's pruner says so."""

    def __init__(self, trial: optuna.Trial, monitor: str) -> None:
        self._trial = trial
        self._monitor = monitor

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Report an epoch."""
        value = trainer.callback_metrics.get(self._monitor)
        if trainer.sanity_checking or value is None:
            return
        self._trial.report(float(value), step=trainer.current_epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned(f"pruned in epoch {trainer.current_epoch + 1}")
