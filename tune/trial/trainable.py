"""The Ray Tune trainable: a warm worker that runs one trial after the other.

Three arrangements of Ray 2.60 decide its shape. A stopped trial hears of it as SystemExit out of ``report``: raised
through Lightning it would leave the model alive and the loggers open, so it is turned into a polite stop and raised
again at the end (returning instead would block for ever). Ray waits two seconds for a trial's end before it gives up
the worker *and the next trial*: see ``WORKER_ENVIRONMENT``. And it does not wait at all for the last trial of a worker:
see ``cleanup``.
"""

import gc
from pathlib import Path
from typing import Any, ClassVar

from ray._raylet import setproctitle  # type: ignore[attr-defined]
from ray.train._internal.session import get_session
from ray.tune.result import RESULT_DUPLICATE
from ray.tune.trainable.function_trainable import FunctionTrainable

from tune.promotion.execute import Executor
from tune.promotion.snapshot import Snapshot
from tune.trial.gate import open_gate, wait_at
from tune.trial.record import Record
from tune.trial.task import Job, Task

LAST_STOP_TIMEOUT_S = 30
"""The same for the last trial of a worker; Ray kills the worker after some 15 s of waiting in the driver."""

TASK = "task"
"""The one key of a trial's Ray config."""


class TrialTrainable(FunctionTrainable):
    """Runs trials of one job."""

    job: ClassVar[Job]

    def setup(self, config: dict[str, Any]) -> None:
        """Prepare what all trials of this worker share."""
        super().setup(config)
        self._settled = False
        self._executor = Executor(
            Snapshot(self.job.snapshot, self.job.program),
            {key: constant.sites for key, constant in self.job.constants.items()},
        )

    def __repr__(self) -> str:
        """Name the actor in the Ray dashboard after its version: its first, since Ray asks only once."""
        return self._version

    def step(self) -> Any:
        """Name the process after the version that it runs now: for ``ps``, and among the dashboard's workers."""
        setproctitle(f"ray::{self._version}")
        return super().step()

    @property
    def _version(self) -> str:
        return Path(Task.decode(self.config[TASK]).version).name

    def _trainable_func(self, config: dict[str, Any]) -> None:
        from tune.trial.run import TrialRun  # imports torch and Lightning: here, where a waiting worker gets warm

        task = Task.decode(config[TASK])
        if task.gated:
            wait_at(self.job.gate)
        stopped = False

        def report(epoch: int, value: float, last: bool, others: tuple[float, ...]) -> bool:
            nonlocal stopped
            try:
                get_session().report({"epoch": epoch, "value": value, "last": last, "others": others})
            except SystemExit:  # not kept: its traceback holds the Trainer and the model
                stopped = True
            return stopped

        record = TrialRun(self.job, task, self._executor).run(report, lambda: open_gate(self.job.gate))
        self._settle()
        if stopped:
            raise SystemExit(0)
        if record.stage == "failed":
            raise TrialFailedError(record)
        get_session().report({RESULT_DUPLICATE: True})

    def _settle(self) -> None:
        """After the first trial, take what the libraries hold out of the collector's sight.

        Each trial ends with a full collection; torch's million objects would make it the better part of a short trial.
        """
        if not self._settled:
            self._settled = True
            gc.freeze()

    def cleanup(self) -> None:
        """Let the last trial of this worker end before the worker does."""
        get_session().finish(timeout=LAST_STOP_TIMEOUT_S)
        super().cleanup()


class TrialFailedError(Exception):
    """Tells Ray that a trial failed; why is in its record."""

    def __init__(self, record: Record) -> None:
        reason = record.failure.reason if record.failure else "unknown"
        super().__init__(f"{record.version}: {reason}")


def trainable_of(job: Job) -> type[TrialTrainable]:
    """Return the trainable of one job; Ray ships the class with the job in it."""
    return type("Trial", (TrialTrainable,), {"job": job})
