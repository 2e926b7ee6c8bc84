"""The logger of a trial: Lightning's own TensorBoardLogger, which writes one event stream into the version."""

import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pytorch_lightning.utilities.rank_zero import rank_zero_only  # type: ignore[attr-defined]
from tensorboard.compat.proto.event_pb2 import Event

from tune.paths import VersionPaths, atomic_write
from tune.space.dimensions import Value
from tune.trial.checkpoints.event_files import session_end, session_start
from tune.trial.hparams_yaml import hparams_yaml

FLUSH_S = 2
"""TensorBoard shows what is on disk: nothing that was logged waits longer than this."""


class VersionLogger:
    """What we change in a TensorBoardLogger: one session of the HPARAMS tab a trial, and our own ``hparams.yaml``."""

    hparams: dict[str, Any]
    experiment: Any
    _experiment: Any

    def log_into_version(
        self,
        version: VersionPaths,
        promoted: Mapping[str, Value],
        hardcoded: Mapping[str, Value],
        started: float,
        purge_step: int | None = None,
    ) -> None:
        """Initialise the logger. No ``__init__``: jsonargparse would list the parameters of one."""
        folder = version.folder
        arguments: dict[str, Any] = {
            "save_dir": folder.parent.parent,
            "name": folder.parent.name,
            "version": folder.name,
            "default_hp_metric": False,
            "flush_secs": FLUSH_S,
            "purge_step": purge_step,  # a TensorBoard that runs forgets what it has read of steps that come again
        }
        super().__init__(**arguments)  # Lightning's
        self._files = version
        self._promoted = promoted
        self._hardcoded = hardcoded
        self._started = started
        self._has_session = not version.retrain_request.is_file()  # the HPARAMS tab shows the search's trials alone
        self._session_open = purge_step is not None  # the session of a trial that goes on is open
        self._is_written = False  # hparams.yaml, as it would be written now
        self._repeated: list[tuple[Mapping[str, Any], int | None]] | None = None if purge_step is None else []

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log metrics; what a trial that goes on logs before its fit does is kept back, for the version has it."""
        if self._repeated is None:
            super().log_metrics(metrics, step)  # type: ignore[misc]
        else:
            self._repeated.append((dict(metrics), step))

    def end_repetition(self, *, is_new: bool = False) -> None:
        """Log from now on; ``is_new``: the trial starts anew after all, and what was kept back is logged."""
        repeated, self._repeated = self._repeated or [], None
        for metrics, step in repeated if is_new else ():
            self.log_metrics(metrics, step)

    @rank_zero_only
    def log_hyperparams(self, params: Any, metrics: Any = None, step: int | None = None) -> None:
        """Merge what the program logs into the trial's one session; metrics given with it become scalars."""
        if params is not None:
            self.hparams.update(params if isinstance(params, Mapping) else vars(params))
            self._is_written = False
        if metrics is not None:
            named = metrics if isinstance(metrics, dict) else {"hp_metric": metrics}
            self.log_metrics({name: float(value) for name, value in named.items()}, step or 0)
        self.save()

    @rank_zero_only
    def save(self) -> None:
        """Write ``hparams.yaml``; the promoted constants win over what the program says. Called after each metric."""
        if not self._is_written:
            text = hparams_yaml(self._promoted, self.hparams, self._hardcoded)
            self._files.folder.mkdir(parents=True, exist_ok=True)  # a program may log before there is a Trainer
            with atomic_write(self._files.hparams) as aside:
                aside.write_text(text, encoding="utf-8")
            self._is_written = True
        self.flush()

    @rank_zero_only
    def open_session(self) -> None:
        """Open the session, once. TensorBoard reads its first start alone: what the program logs later is not in it."""
        if self._session_open or not self._has_session:
            return
        self._session_open = True
        self._write_summary(session_start({**self.hparams, **self._promoted}, self._started))
        self.flush()

    def _write_summary(self, summary: Any) -> None:
        """Write a summary past torch's writer, for which MLflow's autologging would begin a run of its own."""
        self.experiment.file_writer.event_writer.add_event(Event(summary=summary, wall_time=time.time()))

    @property
    def file_name(self) -> str | None:
        """The name of the event file, once there is one."""
        if self._experiment is None:
            return None
        return Path(self._experiment.file_writer.event_writer._file_name).name  # noqa: SLF001 - there is no other word

    @rank_zero_only
    def flush(self) -> None:
        """Put everything that was logged on disk."""
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Flush. ``close_session`` closes the session: a program may fit several times."""
        if self._experiment is not None:
            self.flush()

    def close_session(self, *, failed: bool) -> None:
        """Close the session and the file."""
        if self._experiment is None:
            return
        try:
            self.open_session()
            if self._has_session:
                self._write_summary(session_end("failed" if failed else "success"))
        finally:  # on a full disk, too, its thread ends and tries no more
            self.experiment.close()
            self._experiment = None


@lru_cache
def version_logger(package: ModuleType) -> Any:
    """Return the logger's class, below the TensorBoardLogger of the Lightning package that the program uses."""
    return type("VersionLogger", (VersionLogger, package.loggers.TensorBoardLogger), {})


def open_version_logger(package: ModuleType, *arguments: Any) -> Any:
    """Return a logger of that class; ``arguments`` are those of ``log_into_version``."""
    logger_class = version_logger(package)
    logger = logger_class.__new__(logger_class)
    logger.log_into_version(*arguments)
    return logger
