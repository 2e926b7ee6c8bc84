"""A process of a trial beside the first: warm as its worker is, it executes what it is told, along with all others."""

import contextlib
import contextvars
import gc
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities.rank_zero import rank_zero_only  # type: ignore[attr-defined]
from ray._raylet import setproctitle  # type: ignore[attr-defined]

from tune.paths import VersionPaths
from tune.promotion.execute import Executor
from tune.promotion.snapshot import Snapshot
from tune.trial.execution import Order, Traces, execute, unheard
from tune.trial.failure import failure_of
from tune.trial.guard import EXIT_CODE, TICK_S, exit_is_told, leave_at_once
from tune.trial.health import cap_gpu_memory, give_back_gpu_memory
from tune.trial.isolation import isolated
from tune.trial.old_lightning import explained
from tune.trial.orphans import is_alive, raylet
from tune.trial.output import logged_to
from tune.trial.record import Failure
from tune.trial.seat import Seat, grouped
from tune.trial.task import Job
from tune.trial.warm import settle

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one execution was in one process: plain data, since what the program holds and raises may not travel."""

    rank: int
    pid: int
    taken: dict[str, int]
    """How often each promoted expression was executed."""
    in_force: dict[str, Any]
    """The proof, by constant."""
    failure: Failure | None = None
    """Why it failed, if it did."""
    failed: float = 0
    """When, in seconds since the epoch."""
    trace: str = ""
    """The traceback."""


class Rank:
    """One process of a worker's trials; Ray ends it when the worker is gone."""

    def __init__(self, job: Job, rank: int, devices: str | None) -> None:
        """Get warm. ``devices``: the GPUs of the trial, all of them."""
        if devices is not None:
            os.environ[VISIBLE] = devices
        self._job = job
        self._seat = Seat(rank=rank, n_ranks=job.n_ranks)
        self._executor = executor_of(job)
        rank_zero_only.rank = rank  # type: ignore[attr-defined]
        threading.Thread(target=_tether, name="tether", daemon=True).start()

    def __repr__(self) -> str:
        """Name the actor in the Ray dashboard."""
        return f"rank {self._seat.rank}"

    def pid(self) -> int:
        """Return its process, once it is warm."""
        return os.getpid()

    def run(self, order: Order, port: int) -> Share:
        """Execute an order; whatever goes wrong is in the answer."""
        version = VersionPaths(Path(order.task.version))
        setproctitle(f"ray::{version.folder.name}, rank {self._seat.rank}")
        folder = version.own if self._job.own_folder else self._job.folder
        with exit_is_told(), logged_to(version.log), isolated(folder, self._job.n_threads):
            cap_gpu_memory(self._job.gpu_share)
            share = contextvars.copy_context().run(self._run, order, port)
            gc.collect()
            give_back_gpu_memory()
        settle()
        return share

    def _run(self, order: Order, port: int) -> Share:
        traces: list[Traces] = []
        failure, failed, trace = None, 0.0, ""
        try:
            with grouped(self._seat, port, None):
                execute(self._job, self._executor, order, self._seat, unheard, _nothing, traces.append)
        except BaseException as error:  # the program may raise anything
            failed, trace = time.time(), "".join(traceback.format_exception(error))
            failure = explained(failure_of(error, self._job), self._executor.snapshot.stored)
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"rank {self._seat.rank}: {trace}")
        return Share(
            rank=self._seat.rank,
            pid=os.getpid(),
            taken=traces[0].taken if traces else {},
            in_force=traces[0].in_force if traces else {},
            failure=failure,
            failed=failed,
            trace=trace,
        )


def executor_of(job: Job) -> Executor:
    """Return what executes a job's program."""
    sites = {key: constant.sites for key, constant in job.constants.items()}
    return Executor(Snapshot(job.snapshot, job.program), sites)


def _nothing() -> None:
    """Tell nobody that a batch is done: rank 0 cannot go on without the others."""


def _tether() -> None:
    """Leave when Ray's own process on this machine is gone, as a driver that is killed takes it along."""
    parent, ray = os.getppid(), raylet()
    while os.getppid() == parent and is_alive(ray):
        time.sleep(TICK_S)
    leave_at_once(EXIT_CODE)
