"""Trials of nothing: they report, in the place of a program's execution and its fit, and may sleep before it."""

import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ray.train._internal.session import get_session
from ray.tune.result import RESULT_DUPLICATE

from tune.paths import VersionPaths
from tune.trial.gate import open_gate, wait_at
from tune.trial.record import Record
from tune.trial.task import Job, Task
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
            wait_at(self.job.gate)
        files = VersionPaths(Path(task.version))
        files.folder.mkdir(exist_ok=True)
        record = _record(task, files)
        record.write(files)
        if task.preflight:
            open_gate(self.job.gate)
        for epoch in range(1, self.n_epochs + 1):
            time.sleep(self.epoch_s)
            value = 1 - abs(float(str(task.values["DROPOUT"])) - 0.2) - 1 / epoch
            record = replace(record, curve=[*record.curve, (epoch, value)])
            record.write(files)
            get_session().report({"epoch": epoch, "value": value, "last": epoch == self.n_epochs, "others": ()})
        replace(record, stage="complete", ended=time.time()).write(files)
        get_session().report({RESULT_DUPLICATE: True})


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


def trivial_of(job: Job, n_epochs: int = Trivial.n_epochs, epoch_s: float = Trivial.epoch_s) -> type[TrialTrainable]:
    """Return the trainable of one job."""
    return type("Trial", (Trivial,), {"job": job, "n_epochs": n_epochs, "epoch_s": epoch_s})
