"""Which part of a trial's time each action of a Trainer belongs to, for ``--profile``.

Lightning tells the Trainer's profiler of all that it does, by name. We listen to the one that the Trainer has, be it
the program's own, and time its loops, which it does not tell of as a whole.
"""

import functools
import re
from typing import Any

from tune.trial.laps import CHECKPOINTS, DATA, TRAINING, VALIDATION
from tune.trial.stopwatch import NoStopwatch, Stopwatch

ACTIONS = (
    (re.compile(r".*_next"), DATA),
    (re.compile(r"\[LightningDataModule\].*\.(prepare_data|setup|\w+_dataloader)"), DATA),
    (re.compile(r"\[LightningModule\].*\.(prepare_data|\w+_dataloader)"), DATA),
    (re.compile("save_checkpoint"), CHECKPOINTS),
)


@functools.cache
def part_of(action: str) -> str | None:
    """Return the part that an action begins; None where it is a piece of what goes on anyway."""
    return next((part for pattern, part in ACTIONS if pattern.fullmatch(action)), None)


def follow(trainer: Any, stopwatch: Stopwatch) -> None:
    """Count what a Trainer does."""
    if isinstance(stopwatch, NoStopwatch):
        return
    _listen(trainer.profiler, stopwatch)
    stopwatch.time_calls(trainer.fit_loop, TRAINING, "run")
    for loop in (trainer.fit_loop.epoch_loop.val_loop, trainer.validate_loop, trainer.test_loop):
        stopwatch.time_calls(loop, VALIDATION, "run")


def _listen(profiler: Any, stopwatch: Stopwatch) -> None:
    start, stop = profiler.start, profiler.stop

    def started(action: str) -> None:
        start(action)
        if (part := part_of(action)) is not None:
            stopwatch.enter(part)

    def stopped(action: str) -> None:
        if part_of(action) is not None:
            stopwatch.leave()
        stop(action)

    profiler.start, profiler.stop = started, stopped
