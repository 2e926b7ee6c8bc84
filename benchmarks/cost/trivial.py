"""Trials of nothing: the actor itself reports, in the place of a trial's process, and may sleep before it does."""

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tune.experiment.records import TrialRecord
from tune.internals.ray_internals import publish_preflight_result, wait_for_preflight
from tune.paths import VersionPaths
from tune.trial.messages import EpochReport, TrialTask
from tune.trial.process.channel import EPOCHS, EpochReporter
from tune.trial.trainable import REST, TrialTrainable

REPORTS = (1, 2, 3)
N_EPOCHS, EPOCH_S = "BENCHMARK_N_EPOCHS", "BENCHMARK_EPOCH_S"
"""Variables of the driver, which its actors have from Ray: the epochs of a trial, and the seconds that one sleeps."""


class Trivial(TrialTrainable):
    """An actor whose trials execute no program: they write their record and report."""

    _trial: Iterator[dict[str, Any]] | None = None
    _is_stopped = False

    def _next_result(self) -> dict[str, Any]:
        if self._trial is None:
            self._trial = self._run(self._task, self._version)
        return next(self._trial)

    def _run(self, task: TrialTask, files: VersionPaths) -> Iterator[dict[str, Any]]:
        """Yield the results of a trial."""
        if task.gated:
            wait_for_preflight(self._job.gate)
        files.folder.mkdir(exist_ok=True)
        record = _record(task, files)
        record.write_record(files)
        if task.preflight:
            publish_preflight_result(self._job.gate, {})
        sent: list[list[EpochReport]] = []
        mail = EpochReporter(lambda epochs: bool(sent.append(epochs)), task.judged_at)
        n_epochs = int(os.environ.get(N_EPOCHS, len(REPORTS)))
        for epoch in range(1, n_epochs + 1):
            time.sleep(float(os.environ.get(EPOCH_S, 0)))
            value = 1 - abs(float(str(task.values["DROPOUT"])) - 0.2) - 1 / epoch
            record = replace(record, curve=[*record.curve, (epoch, value)])
            record.write_record(files)
            mail.report_epoch(EpochReport(epoch, value, epoch == n_epochs, ()))
            while sent:
                yield {EPOCHS: [tuple(each) for each in sent.pop()]}
            if self._is_stopped:
                break
        replace(record, stage="complete", ended=time.time()).write_record(files)
        yield {"done": True, REST: [tuple(each) for each in mail.held]}

    def request_stop(self) -> None:
        """Stop with the next result."""
        self._is_stopped = True

    def _leave_trial(self, timeout_s: float | None) -> None:
        if self._trial is not None and self._is_stopped:
            next(self._trial, None)
        self._trial, self._is_stopped = None, False


def _record(task: TrialTask, files: VersionPaths) -> TrialRecord:
    return TrialRecord(
        number=task.number,
        version=files.folder.name,
        constants=task.values,
        seed=task.seed,
        stage="running",
        attempt=task.attempt,
        pid=os.getpid(),
        host=socket.gethostname(),
        worker=f"{socket.gethostname()}:{os.getpid()}",
        devices=None,
        started=time.time(),
        ready=task.preflight,
    )
