"""Where a Lightning Trainer is in its epochs, read and set in its loops."""

import math
from typing import Any

from tune.trial.counted_fits import OUTSIDE


def is_last_report(trainer: Any, *, is_validated: bool) -> bool:
    """Tell whether no report comes after this one: the training is over, or its last validation.

    ``is_validated``: the metric is one of validation, which need not run in each epoch.
    """
    if trainer.state.fn in OUTSIDE or 0 < trainer.max_steps <= trainer.global_step:
        return True
    if trainer.should_stop and _can_stop(trainer):
        return True
    if trainer.validating or not trainer.max_epochs or trainer.max_epochs < 0:
        return False
    every = (trainer.check_val_every_n_epoch or 1) if is_validated else 1
    n_epochs: int = trainer.fit_loop.epoch_progress.current.processed
    return n_epochs + every > int(trainer.max_epochs)


def _can_stop(trainer: Any) -> bool:
    """Tell whether the program's least numbers of epochs and steps are reached."""
    loop = trainer.fit_loop
    least_epochs, least_steps = loop.min_epochs, loop.epoch_loop.min_steps
    return (not least_epochs or loop.epoch_progress.current.processed >= least_epochs) and (
        not least_steps or trainer.global_step >= least_steps
    )


def validates_within_epoch(trainer: Any) -> bool:
    """Tell whether validation runs several times an epoch."""
    if getattr(trainer, "_val_check_time_interval", None) is not None:
        return True
    n_batches = trainer.val_check_batch
    return n_batches not in (None, math.inf) and bool(n_batches < trainer.num_training_batches)


def is_at_end_of_epoch(trainer: Any) -> bool:
    """Tell whether the last batch of an epoch is done."""
    progress = trainer.fit_loop.epoch_loop.batch_progress
    is_last = progress.is_last_batch or progress.current.ready >= trainer.num_training_batches
    return bool(is_last or 0 < trainer.max_steps <= trainer.global_step)


def stop_after_epoch(trainer: Any) -> None:
    """Let the Trainer end by itself after this epoch, whatever minimum it was given."""
    trainer.fit_loop.min_epochs = None
    trainer.fit_loop.epoch_loop.min_steps = None
    trainer.should_stop = True
