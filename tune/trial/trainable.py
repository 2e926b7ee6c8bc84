"""The Ray Tune trainable: a warm worker that runs one trial after the other.

Three arrangements of Ray 2.60 decide its shape. A stopped trial hears of it as SystemExit out of ``report``: raised
through Lightning it would leave the model alive and the loggers open, so it is turned into a polite stop and raised
again at the end (returning instead would block for ever). Ray waits two seconds for a trial's end before it gives up
the worker *and the next trial*: see ``WORKER_ENVIRONMENT``. And it does not wait at all for the last trial of a worker:
see ``cleanup``.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ray._raylet import setproctitle  # type: ignore[attr-defined]
from ray.train._internal.session import get_session
from ray.tune.trainable.function_trainable import FunctionTrainable

from tune.errors import NoRoomError
from tune.promotion.execute import Executor
from tune.promotion.snapshot import Snapshot
from tune.trial.epoch_clock import EpochClock
from tune.trial.gate import open_gate, wait_at
from tune.trial.mail import Mail
from tune.trial.posted import fetch_job
from tune.trial.record import Record
from tune.trial.site import on_site, unshared
from tune.trial.stopwatch import CHECKING, IMPORT, stopwatch_of
from tune.trial.task import Task
from tune.trial.warm import settle, warm_up

if TYPE_CHECKING:
    from tune.trial.distributed import Crew

LAST_STOP_TIMEOUT_S = 30
"""The same for the last trial of a worker; Ray kills the worker after some 15 s of waiting in the driver."""

TASK = "task"
"""The one key of a trial's Ray config."""
NO_ROOM = "no room"
"""The one key of a report that is no epoch: what NoRoomError is made of."""
UNSHARED = "unshared"
"""The same for UnsharedError."""


class TrialTrainable(FunctionTrainable):
    """Runs trials of one job."""

    posted: ClassVar[str]
    """Where the job is."""

    def setup(self, config: dict[str, Any]) -> None:
        """Prepare what all trials of this worker share."""
        super().setup(config)
        self._job = on_site(fetch_job(self.posted))
        self._stopwatch = stopwatch_of(self._job.session)
        self._epochs = EpochClock()
        self._crew = self._start_crew()
        self._executor = Executor(
            Snapshot(self._job.snapshot, self._job.program),
            {key: constant.sites for key, constant in self._job.constants.items()},
        )

    def _start_crew(self) -> "Crew | None":
        """Start the other processes of a trial of several: here, for they have to get warm, too."""
        if self._job.n_ranks == 1:
            return None
        from tune.trial.distributed import Crew  # imports torch

        return Crew(self._job)

    def __repr__(self) -> str:
        """Name the actor in the Ray dashboard after its version: its first, as Ray asks once (ray#36570)."""
        return self._version

    def step(self) -> Any:
        """Name the process after the version that it runs now: for ``ps``, and among the dashboard's workers."""
        setproctitle(f"ray::{self._version}")
        return super().step()

    @property
    def _version(self) -> str:
        return Path(Task.decode(self.config[TASK]).version).name

    def _trainable_func(self, config: dict[str, Any]) -> None:
        with self._stopwatch.on(IMPORT):
            warm_up()  # here, where a worker that waits gets warm
        from tune.trial.run import TrialRun

        task = Task.decode(config[TASK])
        self._epochs.begin(counts=task.attempt == 1)
        judged_at = None if self._job.others else task.judged_at
        mail = Mail(get_session().report, judged_at, epochs=self._epochs)
        if (stranger := unshared(self._job)) is not None:
            mail.ask({UNSHARED: stranger.args})
            raise SystemExit(0)
        if task.gated:
            with self._stopwatch.on(CHECKING):
                wait_at(self._job.gate)
        trial = TrialRun(self._job, task, self._executor, self._stopwatch, self._crew)
        full = None
        try:
            record = trial.run(mail.report, lambda: open_gate(self._job.gate))
        except NoRoomError as error:
            full = error.args
        settle()
        if full is not None and not mail.stopped:
            mail.ask({NO_ROOM: full})  # the answer is a stop
        if mail.stopped or full is not None:
            raise SystemExit(0)
        if trial.spoilt:
            mail.flush()
            raise SpoiltWorkerError(record)
        mail.end()

    def end_politely(self) -> None:
        """Answer the trial's last report with a stop; it is called between two steps, and Ray's own comes later."""
        session = get_session()
        session.stop_event.set()
        session.continue_lock.release()

    def cleanup(self) -> None:
        """Let the last trial of this worker end before the worker does."""
        get_session().finish(timeout=LAST_STOP_TIMEOUT_S)
        if self._crew is not None:
            self._crew.dismiss()
        super().cleanup()


class SpoiltWorkerError(Exception):
    """Tells Ray to replace the worker, after a trial that failed; why is in its record."""

    def __init__(self, record: Record) -> None:
        reason = record.failure.reason if record.failure else "unknown"
        super().__init__(f"{record.version}: {reason}")


def trainable_of(posted: str) -> type[TrialTrainable]:
    """Return the trainable of the job that was posted there."""
    return type("Trial", (TrialTrainable,), {"posted": posted})
