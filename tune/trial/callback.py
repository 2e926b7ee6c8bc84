"""The callback that watches the metric: reports each epoch, keeps the best checkpoint, and stops the Trainer politely."""

import math
import os
import shutil
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

from tune.paths import VersionPaths, atomic_write
from tune.trial.score import Mode, better

Report = Callable[[int, float, bool], bool]
"""Takes the epoch (from 1), the metric's value, and whether it is the last epoch; True means: stop this trial."""


@lru_cache
def reporter(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""

    class Reporter(package.Callback):  # type: ignore[misc,name-defined]
        """Stands last among the callbacks: when it reports an epoch, the others have done their part of it."""

        def __init__(self, metric: str, mode: Mode, version: VersionPaths, report: Report) -> None:
            self._metric = metric
            self._mode = mode
            self._files = version
            self._report = report
            self._seen: Any = None
            self._best: float | None = None
            self._n_reports = 0
            self.stopped = False

        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            if not trainer.sanity_checking:
                self._look(trainer)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            self._look(trainer)

        def state_dict(self) -> dict[str, Any]:
            return {"best": self._best, "n_reports": self._n_reports}

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            self._best = state_dict["best"]
            self._n_reports = state_dict["n_reports"]

        def _look(self, trainer: Any) -> None:
            """Report the metric if it was logged anew; Lightning goes on showing the value of an earlier epoch."""
            latest = trainer.callback_metrics.get(self._metric)
            if latest is None or self.stopped or self._is_old(latest):
                return
            self._seen = latest
            self._n_reports += 1
            self._keep(trainer, float(latest))
            for logger in trainer.loggers:
                if hasattr(logger, "flush"):
                    logger.flush()
            is_last = trainer.current_epoch + 1 == trainer.max_epochs
            if self._report(self._time(trainer), float(latest), is_last):
                self._stop(trainer)

        def _is_old(self, latest: Any) -> bool:
            """The same storage is the same value: each computation makes a new one, and we hold the one we saw."""
            return self._seen is not None and latest.data_ptr() == self._seen.data_ptr()

        def _time(self, trainer: Any) -> int:
            """Return the epoch; where validation runs several times an epoch, the count of reports."""
            several = trainer.val_check_batch not in (None, math.inf) and (
                trainer.val_check_batch < trainer.num_training_batches
            )
            return self._n_reports if several else trainer.current_epoch + 1

        def _keep(self, trainer: Any, value: float) -> None:
            """Write the last checkpoint; if it is the best, it gets a second name."""
            if not trainer.is_global_zero:
                return
            is_best = better(self._mode, value, self._best)
            if is_best:
                self._best = value
            self._files.checkpoints.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._files.last) as aside:
                trainer.save_checkpoint(aside)
            if is_best:
                with atomic_write(self._files.best) as aside:
                    _link(self._files.last, aside)

        def _stop(self, trainer: Any) -> None:
            """Let the Trainer end by itself after this epoch, whatever minimum it was given."""
            self.stopped = True
            trainer.fit_loop.min_epochs = None
            trainer.fit_loop.epoch_loop.min_steps = None
            trainer.should_stop = True

    return Reporter


def _link(source: Any, target: Any) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
