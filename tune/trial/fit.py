"""What every Trainer of one execution of the program gets from us, whoever builds it."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from tune.paths import VersionPaths
from tune.trial.callback import MetricWatch, Report, reporter
from tune.trial.cut import cut_back
from tune.trial.logger import OneSession, version_logger
from tune.trial.mark import Mark
from tune.trial.mutant import Mutant
from tune.trial.pace import follow
from tune.trial.proof import Proof
from tune.trial.seat import ALONE, Seat
from tune.trial.stopwatch import CHECKPOINTS, LOGGING, NoStopwatch, Stopwatch
from tune.trial.tailor import Measure, tailor
from tune.trial.task import Job, Task
from tune.trial.witness import witness

LOGGER_METHODS = ("log_metrics", "log_hyperparams", "log_graph", "save", "begin", "flush", "finalize", "end")
"""All that takes time in a logger."""


class Fit:
    """One execution of the program: in the pre-flight, or for the trial's score."""

    def __init__(
        self,
        job: Job,
        task: Task,
        files: VersionPaths,
        proof: Proof,
        started: float,
        overrides: Mapping[str, Any],
        report: Report | None,
        mark: Mark | None = None,
        beat: Callable[[], None] = lambda: None,
        *,
        measures: bool = False,
        stopwatch: Stopwatch | None = None,
        seat: Seat = ALONE,
    ) -> None:
        self._job = job
        self._task = task
        self.files = files
        self._proof = proof
        self._started = started
        self._overrides = overrides
        self._report = report
        self._mark = mark
        self._beat = beat
        self._measures = measures
        self.stopwatch = stopwatch or NoStopwatch()
        self.seat = seat
        self._tailor: Any = None
        self._mutant = Mutant(task.values, len(task.mutations)) if job.mutants else None
        self._n_fits = 0
        self._logger: Any = None
        self._witness: Any = None
        self._watch: MetricWatch | None = None

    @property
    def logged(self) -> set[str]:
        """Return the names that the program logged."""
        return self._witness.logged if self._witness is not None else set()

    @property
    def n_workers(self) -> int:
        """Return the most workers that a DataLoader has."""
        return self._witness.n_workers if self._witness is not None else 0

    @property
    def fit_s(self) -> float | None:
        """Seconds in ``Trainer.fit``; None when there was none."""
        return self._witness.fit_s if self._witness is not None else None

    @property
    def measure(self) -> Measure:
        """Return what the program builds; nothing where that was not asked for."""
        return self._tailor.measure if self._tailor is not None else {}

    @property
    def stopped(self) -> bool:
        """Whether a report was answered with a stop."""
        return self._watch is not None and self._watch.stopped

    def arguments(self, given: Mapping[str, Any], package: ModuleType) -> dict[str, Any]:
        """Return a Trainer's arguments: those given, the space's over them, and what is ours over all."""
        arguments = {**given, **self._job.trainer, **self._overrides}
        return {
            **arguments,
            **self.seat.arguments(arguments, package),
            "logger": self._loggers(given.get("logger"), package),
            "default_root_dir": self.files.folder,
            "enable_progress_bar": False,
        }

    def attach(self, trainer: Any, package: ModuleType) -> None:
        """Add our callbacks behind all others: when they are called, the others have done their part of an epoch."""
        if self._witness is None:
            self._witness = witness(package)(self._proof, self._beat)
        trainer.callbacks.append(self._witness)
        follow(trainer, self.stopwatch)
        if self._measures:
            self._tailor = self._tailor or tailor(package)()
            trainer.callbacks.append(self._tailor)
        if self._report is None:
            return
        if self._watch is None:
            self._watch = reporter(package)(
                self._job.metric, self._job.mode, self.files, self._report, self._mark, self._job.others, self._mutant
            )
            self.stopwatch.time_calls(self._watch, CHECKPOINTS, "keep")
        trainer.callbacks.append(self._watch)

    def going_on(self, fit: Callable[..., None], given: Any = None) -> dict[str, Any]:
        """Return what the next ``Trainer.fit`` needs to go on from our checkpoint; a ``given`` one of its own wins."""
        self._n_fits += 1
        if self._mark is None or self._n_fits > 1:
            return {}
        if given is not None:
            self._start_anew()
            return {}
        arguments: dict[str, Any] = {"ckpt_path": str(self.files.last)}
        if "weights_only" in inspect.signature(fit).parameters:  # Lightning 2.6; our own file may hold any hparams
            arguments["weights_only"] = not self._job.trusts_checkpoints
        return arguments

    def _start_anew(self) -> None:
        """Forget our checkpoint: the program goes on from one of its own choice."""
        if self.seat.leads:
            current = None if self._logger is None else self._logger.file_name
            cut_back(self.files.folder, None, but=current)
        self._mark = None
        if self._watch is not None:
            self._watch.forget()

    def logger(self, package: ModuleType) -> Any:
        """Return the version's one logger."""
        if self._logger is None:
            self._logger = version_logger(package)(*self._logged)
            self.stopwatch.time_calls(self._logger, LOGGING, *LOGGER_METHODS)
        return self._logger

    def adopt(self, logger: OneSession) -> None:
        """Point a logger of a class of the program's own at the version."""
        OneSession.__init__(logger, *self._logged)
        self._logger = self._logger or logger

    @property
    def _logged(self) -> tuple[Any, ...]:
        purge_step = None if self._mark is None else self._mark.step + 1
        return self.files, self._task.values, self._job.hardcoded, self._started, purge_step

    def end(self, *, failed: bool) -> None:
        """Close the version's event file."""
        if self._logger is not None:
            self._logger.end(failed=failed)

    def _loggers(self, given: Any, package: ModuleType) -> list[Any]:
        """Return the program's loggers, ours in the place of its TensorBoardLogger; where it has none, ours last."""
        ours = self.logger(package)
        loggers = list(given) if isinstance(given, Iterable) else [] if given in (None, True, False) else [given]
        others = [logger for logger in loggers if not isinstance(logger, package.loggers.TensorBoardLogger)]
        if not loggers or others[:1] != loggers[:1]:
            return [ours, *others]
        return [*others, ours]
