"""The callback that watches the metric: reports each epoch, keeps the best checkpoint, stops the Trainer politely."""

import math
import os
import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.paths import VersionPaths, atomic_write
from tune.trial.cut import event_sizes
from tune.trial.mark import Mark
from tune.trial.mutant import Mutant
from tune.trial.rng import restore_rng, rng_state
from tune.trial.room import room_told
from tune.trial.score import Mode, best_of, better
from tune.trial.seat import of_all_ranks

Report = Callable[[int, float, bool, tuple[float, ...]], bool]
"""Takes the epoch (from 1), the metric's value, whether it is the last epoch, and the values of further metrics.

True means: stop this trial.
"""


class MetricWatch:
    """The logic of the callback, whichever Lightning it is for.

    It stands last among the callbacks: when it reports an epoch, the others have done their part of it.
    """

    def __init__(
        self,
        metric: str,
        mode: Mode,
        version: VersionPaths,
        report: Report,
        mark: Mark | None = None,
        others: Sequence[str] = (),
        mutant: Mutant | None = None,
    ) -> None:
        self._metric = metric
        self._mode = mode
        self._files = version
        self._report = report
        self._seen: Any = None
        self._best: float | None = None
        self._n_reports = 0
        self._offset = 0  # epochs of earlier fits of the same program
        self._latest = 0  # the last epoch that was reported
        self._curve: list[tuple[int, float]] = []
        self._others = others  # further metrics, reported with the first
        self._measured: dict[int, tuple[float, ...]] = {}  # their values, by epoch
        self._n_fits = 0
        self._mutant = mutant
        self._mark = mark  # where the trial goes on; None once it does
        self.stopped = False
        """Whether a report was answered with a stop."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Count on where a program fits more than once."""
        self._n_fits += 1
        if self._mutant is not None:
            self._mutant.compare(trainer, self._mark)
        if self._mark is None:
            self._offset = self._latest
        else:
            self._continue(self._mark)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Draw on where the checkpoint was written, with the constants that are in force now."""
        if self._mutant is not None:
            self._mutant.put_in_force(trainer)
        if self._mark is not None:
            restore_rng(self._mark.rng_of(trainer.global_rank))

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Open the session of the HPARAMS tab: the program has had every hook to log hyperparameters of its own."""
        if self._mark is not None:
            restore_rng(self._mark.rng_of(trainer.global_rank))
            self._mark = None
        for logger in trainer.loggers:
            if hasattr(logger, "begin"):
                logger.begin()

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Be through with going on, where no epoch was left to train."""
        self._mark = None

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Look after each validation but those before training."""
        if trainer.sanity_checking or (self._others and trainer.state.fn == "fit" and not _several(trainer)):
            return  # of several metrics some may be of training: all are there at the epoch's end
        if trainer.state.fn == "fit" or self._latest:
            self._look(trainer)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Look at a metric of testing."""
        self._look(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Look again: a metric of training alone is there only now."""
        self._look(trainer)

    def forget(self) -> None:
        """Count from the first epoch."""
        self._mark = None

    def _continue(self, mark: Mark) -> None:
        """Know what was reported before the checkpoint. In a trial that goes on only its first fit does."""
        self._curve = list(mark.curve)
        self._measured = dict(mark.others)
        self._n_reports = len(mark.curve)
        self._latest = mark.epoch
        curve = dict(mark.curve)
        best = best_of(curve, self._mode)
        self._best = None if best is None else curve[best]

    def _look(self, trainer: Any) -> None:
        """Report the metric if it was logged anew; Lightning goes on showing the value of an earlier epoch.

        Of several processes rank 0 decides, and all take part: a checkpoint is written by all of them together.
        """
        latest = trainer.callback_metrics.get(self._metric)
        is_new = latest is not None and not self.stopped and not self._is_old(latest)
        value = trainer.strategy.broadcast(float(latest) if is_new else None)
        if value is None:
            return
        self._seen = latest
        self._n_reports += 1
        epoch = self._time(trainer)
        self._curve.append((epoch, value))
        others = tuple(float(trainer.callback_metrics.get(name, math.nan)) for name in self._others)
        if others:
            self._measured[epoch] = others
        for logger in trainer.loggers:
            if hasattr(logger, "flush"):
                logger.flush()
        is_last = self._is_last(trainer)
        self.keep(trainer, value, self._here(trainer, last=is_last))
        if trainer.strategy.broadcast(self._report(epoch, value, is_last, others)):
            self._stop(trainer)

    def _is_last(self, trainer: Any) -> bool:
        """Tell whether the training is through anyway: no report comes after this one."""
        if trainer.state.fn != "fit" or trainer.should_stop:
            return True
        if 0 < trainer.max_steps <= trainer.global_step:
            return True
        every = trainer.check_val_every_n_epoch if trainer.validating or trainer.evaluating else 1
        return bool(trainer.max_epochs and 0 < trainer.max_epochs < trainer.current_epoch + 1 + (every or 1))

    def _here(self, trainer: Any, *, last: bool) -> Mark:
        n_steps = trainer.fit_loop.epoch_loop._batches_that_stepped  # noqa: SLF001 - what Lightning logs as the step
        rng, *elsewhere = of_all_ranks(rng_state(), trainer.world_size)
        return Mark(
            curve=self._curve,
            others=self._measured,
            last=last,
            fit=self._n_fits,
            step=n_steps if trainer.validating else n_steps - 1,
            events=event_sizes(self._files.folder),
            rng=rng,
            rng_elsewhere=elsewhere,
            built=[] if self._mutant is None else self._mutant.built,
            n_mutations=0 if self._mutant is None else self._mutant.n_mutations,
        )

    def _is_old(self, latest: Any) -> bool:
        """Compare storages: each computation makes a new one, and the one that we saw is held."""
        return self._seen is not None and latest.data_ptr() == self._seen.data_ptr()

    def _time(self, trainer: Any) -> int:
        """Return the epoch; where validation runs several times an epoch, the count of reports."""
        epoch = self._n_reports if _several(trainer) else self._offset + trainer.current_epoch + 1
        self._latest = max(epoch, self._latest + 1)
        return self._latest

    def keep(self, trainer: Any, value: float, mark: Mark) -> None:
        """Write the last checkpoint; if it is the best, it gets a second name."""
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self._files.last)  # takes its part in it, and writes nothing
            return
        is_best = better(self._mode, value, self._best)
        if is_best:
            self._best = value
        self._files.checkpoints.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._files.last) as aside, room_told(self._files.folder, ours=True):
            trainer.save_checkpoint(aside)
            mark.write_into(aside)
        if is_best:
            with atomic_write(self._files.best) as aside:
                _link(self._files.last, aside)

    def _stop(self, trainer: Any) -> None:
        """Let the Trainer end by itself after this epoch, whatever minimum it was given."""
        self.stopped = True
        trainer.fit_loop.min_epochs = None
        trainer.fit_loop.epoch_loop.min_steps = None
        trainer.should_stop = True


def _several(trainer: Any) -> bool:
    """Tell whether validation runs several times an epoch."""
    n_batches = trainer.val_check_batch
    return n_batches not in (None, math.inf) and bool(n_batches < trainer.num_training_batches)


@lru_cache
def reporter(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""
    return type("Reporter", (MetricWatch, package.Callback), {})


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
