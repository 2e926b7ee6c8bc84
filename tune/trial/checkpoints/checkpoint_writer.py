"""The checkpoints that a trial writes: the last, from which it goes on, and the best; each with its state.

A checkpoint of an epoch that is over is written once, under one name or two.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tune.paths import VersionPaths, atomic_write
from tune.trial.checkpoints.checkpoint_state import CheckpointState
from tune.trial.checkpoints.event_files import read_event_sizes
from tune.trial.checkpoints.fit_state import generator_states, validation_steps
from tune.trial.disk_space import translate_disk_full
from tune.trial.distributed.process_group import gather_from_ranks
from tune.trial.lightning.pbt_mutation import PbtState
from tune.trial.process.random_generators import rng_state

FREE_S = 0.25
"""A checkpoint that is written in less is written after each epoch."""
SHARE = 0.05
"""Of its time a trial spends on others."""
MOST_S = 600
"""Of training that an interruption costs, where an epoch is shorter."""


class CheckpointWriter:
    """Writes the last and the best checkpoint of a version."""

    def __init__(self, files: VersionPaths, when: str | float = "epoch") -> None:
        """Write to the paths of ``files``; ``when``: auto, epoch, best, none, or seconds between two last ones."""
        self._files = files
        self._when = when
        self._written_at = time.monotonic()  # the last one, or the beginning
        self._takes_s = 0.0  # to write the last one
        self.epoch: int | None = None
        """The epoch from 0, while a checkpoint is written after the end of its epoch."""
        self.are_up_to_date = True
        """Whether all reports are in the last checkpoint."""

    @property
    def keeps_best(self) -> bool:
        """Whether the best epoch's weights are written."""
        return self._when != "none"

    def write_last(self, trainer: Any, mark: CheckpointState, *, is_best: bool) -> None:
        """Write the last checkpoint where the epoch is over and it is due; the best has a name of its own."""
        is_best = is_best and self.keeps_best
        writes_last = mark.epoch_is_over and (is_best or self._is_due(trainer, mark))
        self.are_up_to_date = writes_last or (mark.epoch_is_over and self._when in ("best", "none"))
        targets = [self._files.last_checkpoint] if writes_last else []
        targets += [self._files.best_checkpoint] if is_best else []
        if targets:
            self.write(trainer, mark, targets)

    def write_at_stop(self, trainer: Any, make_mark: Callable[[], CheckpointState]) -> None:
        """Write what was not due when its epoch ended, now that the trial stops there: it may go on later."""
        if not self.are_up_to_date:
            self.are_up_to_date = True
            self.write(trainer, make_mark(), [self._files.last_checkpoint])

    def _is_due(self, trainer: Any, mark: CheckpointState) -> bool:
        """Tell whether an epoch that is not the best is written; of several processes they all are told the same."""
        since_s = time.monotonic() - self._written_at
        match self._when:
            case "best" | "none":
                return False
            case "auto":
                is_cheap = self._takes_s <= max(FREE_S, SHARE * since_s)
                is_due = mark.last or is_cheap or since_s > MOST_S
            case int() | float() as seconds:
                is_due = mark.last or since_s >= seconds
            case _:
                return True
        return bool(trainer.strategy.broadcast(is_due))

    def write(self, trainer: Any, mark: CheckpointState, targets: list[Path]) -> None:
        """Write a checkpoint once, under one name or two; of several processes each takes its part."""
        began = time.monotonic()
        first, *more = targets
        self.epoch = max(0, trainer.current_epoch - 1) if mark.epoch_is_over else None
        try:
            self._write_whole(trainer, mark, first)
        finally:
            self.epoch = None
        if trainer.is_global_zero:
            for target in more:
                with atomic_write(target) as aside:
                    try:
                        os.link(first, aside)
                    except OSError:  # a file system without hard links
                        shutil.copyfile(first, aside)
        self._written_at = time.monotonic()
        self._takes_s = self._written_at - began

    def _write_whole(self, trainer: Any, mark: CheckpointState, first: Path) -> None:
        if not trainer.is_global_zero:
            trainer.save_checkpoint(first)
            return
        self._files.checkpoints.mkdir(parents=True, exist_ok=True)
        with atomic_write(first) as aside, translate_disk_full(self._files.folder, ours=True):
            trainer.save_checkpoint(aside)
            mark.write_into(aside)


def create_checkpoint_state(
    trainer: Any,
    folder: Path,
    *,
    curve: list[tuple[int, float]],
    others: dict[int, tuple[float, ...]],
    last: bool,
    fit: int,
    pbt_state: PbtState | None,
    epoch_is_over: bool,
) -> CheckpointState:
    """Return how far the trial is, of all ranks; the arguments are the fields of :class:`CheckpointState`.

    ``folder``: the version's, whose event files are written out first.
    """
    for logger in trainer.loggers:
        if hasattr(logger, "flush"):
            logger.flush()
    n_steps = trainer.fit_loop.epoch_loop._batches_that_stepped  # noqa: SLF001 - what Lightning logs as the step
    own = {**rng_state(), "held": generator_states(trainer)}
    rng, *elsewhere = gather_from_ranks(own, trainer.world_size)
    # the metrics that are numbers; a program may put anything there
    found = {}
    for name, value in trainer.callback_metrics.items():
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            found[name] = float(value)
    return CheckpointState(
        curve=curve,
        others=others,
        last=last,
        fit=fit,
        step=n_steps if trainer.validating else n_steps - 1,
        events=read_event_sizes(folder),
        rng=rng,
        rng_elsewhere=elsewhere,
        built=[] if pbt_state is None else pbt_state.built,
        n_mutations=0 if pbt_state is None else pbt_state.n_mutations,
        epoch_is_over=epoch_is_over,
        should_stop=bool(trainer.should_stop),
        metrics=found,
        validation_steps=validation_steps(trainer),
    )
