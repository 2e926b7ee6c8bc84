"""Trials of nothing: they report, in the place of a program's execution and its fit, and may sleep before it."""

import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ray.train._internal.session import get_session

from tune.paths import VersionPaths
from tune.trial.gate import open_gate, wait_at
from tune.trial.mail import Mail
from tune.trial.record import Record
from tune.trial.task import Task
from tune.trial.trainable import TASK, TrialTrainable

REPORTS = (1, 2, 3)


class Trivial(TrialTrainable):
    """A warm worker whose trials execute no program: they write their record and report."""

    n_epochs: ClassVar[int] = len(REPORTS)
    epoch_s: ClassVar[float] = 0.0
    """Seconds that an epoch sleeps."""

    def _trainable_func(self, config: dict[str, Any]) -> None:
        task = Task.decode(config[TASK])
        if task.gated:
            wait_at(self._job.gate)
        files = VersionPaths(Path(task.version))
        files.folder.mkdir(exist_ok=True)
        record = _record(task, files)
        record.write(files)
        if task.preflight:
            open_gate(self._job.gate)
        mail = Mail(get_session().report, task.judged_at)
        for epoch in range(1, self.n_epochs + 1):
            time.sleep(self.epoch_s)
            value = 1 - abs(float(str(task.values["DROPOUT"])) - 0.2) - 1 / epoch
            record = replace(record, curve=[*record.curve, (epoch, value)])
            record.write(files)
            mail.report(epoch, value, epoch == self.n_epochs, ())
        replace(record, stage="complete", ended=time.time()).write(files)
        mail.end()


def _record(task: Task, files: VersionPaths) -> Record:
    return Record(
        number=task.number,
        version=files.folder.name,
        constants=task.values,
        seed=task.seed,
        stage="running",
        attempt=task.attempt,
        pid=os.getpid(),
        host=socket.gethostname(),
        devices=None,
        started=time.time(),
        ready=task.preflight,
    )


def trivial_of(posted: str, n_epochs: int = Trivial.n_epochs, epoch_s: float = Trivial.epoch_s) -> type[TrialTrainable]:
    """Return the trainable of the job that was posted there."""
    return type("Trial", (Trivial,), {"posted": posted, "n_epochs": n_epochs, "epoch_s": epoch_s})
