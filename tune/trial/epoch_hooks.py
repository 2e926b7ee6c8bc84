"""Calls at the beginning of a training epoch, before all hooks, and at its end, after all that belongs to it.

Lightning's callbacks come earlier: what a module logs in ``on_train_epoch_end``, the schedulers of learning rates, and
the counting of the epoch follow them. A checkpoint that is written after all of it is of an epoch that is over.
"""

import functools
from collections.abc import Callable
from typing import Any

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
        if function is not None and not _calls(method, callback):
            setattr(loop, name, _calling(method, trainer, callback, function, is_before=is_before))


def _calls(method: Any, callback: Any) -> bool:
    while method is not None:
        if getattr(method, CALLBACK, CALLBACK) is callback:
            return True
        method = getattr(method, "__wrapped__", None)
    return False


def _calling(
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
