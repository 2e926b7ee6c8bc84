"""Where a Trainer is in its epochs, and calls at the beginning and the end of an epoch.

Calls at the beginning of a training epoch, before all hooks, and at its end, after all that belongs to it.

Lightning's callbacks come earlier: what a module logs in ``on_train_epoch_end``, the schedulers of learning rates, and
the counting of the epoch follow them. A checkpoint that is written after all of it is of an epoch that is over.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

from tune.experiment.counted_fits import OUTSIDE

CALLBACK = "_promotune_callback"


def call_at_epochs(
    trainer: Any, callback: Any, start: Callable[[Any], None] | None, end: Callable[[Any], None] | None
) -> None:
    """Call ``start`` and ``end`` with the Trainer at each of its epochs, as long as it has the callback.

    Lightning's Tuner takes the callbacks away while it runs the loop for itself; ``callback`` None: then, too.
    """
    loop = trainer.fit_loop
    for name, function, is_before in (("on_advance_start", start, True), ("on_advance_end", end, False)):
        method = getattr(loop, name)
        if function is not None and not _has_callback(method, callback):
            setattr(loop, name, _wrap_hook(method, trainer, callback, function, is_before=is_before))


def _has_callback(method: Any, callback: Any) -> bool:
    while method is not None:
        if getattr(method, CALLBACK, CALLBACK) is callback:
            return True
        method = getattr(method, "__wrapped__", None)
    return False


def _wrap_hook(
    method: Callable[[], None], trainer: Any, callback: Any, function: Callable[[Any], None], *, is_before: bool
) -> Callable[[], None]:
    @functools.wraps(method)
    def replacement() -> None:
        has_it = callback is None or any(each is callback for each in trainer.callbacks)
        if has_it and is_before:
            function(trainer)
        method()
        if has_it and not is_before:
            function(trainer)

    setattr(replacement, CALLBACK, callback)
    return replacement


def begin_next_epoch(trainer: Any) -> None:
    """Let a Trainer whose loops were restored at the end of an epoch begin the next one.

    Lightning would go through the end of the last one again, without its training and validation.
    """
    for loop in (trainer.fit_loop, trainer.fit_loop.epoch_loop, trainer.fit_loop.epoch_loop.val_loop):
        loop.restarting = False
        if hasattr(loop, "on_iteration_done"):
            loop.on_iteration_done()


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
