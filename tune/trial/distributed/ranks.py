"""A trial in several processes: rank 0 is the trial's process, and forks the others before the program runs.

Why not Ray Train: its workers are started anew for every trial; its controller is not told of a stop, so that a trial
that the scheduler ends would go on; and its strategies descend from one of Lightning's two class trees. Here the trial
is what it is in one process, with the same report, stop and resume: the other ranks execute the same program, and what
rank 0 was told reaches them through rank 0.

Nothing waits for a process that is gone. The first failure, by the clock, is the one that is told: the others only lost
their connection. A rank that died ends the trial's process, as if that had died: the trial goes on from its last
checkpoint, or fails, by the same rule.
"""

import contextlib
import functools
import importlib
import math
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from setproctitle import setproctitle

from tune.experiment.records import HUNG, Failure
from tune.promotion.execute import Executor
from tune.trial.describe_exception import ChildFailure, create_failure, print_uncaught
from tune.trial.distributed.process_group import DistributedContext, join_process_group, open_store_socket
from tune.trial.gpu.gpu_devices import cap_gpu_memory
from tune.trial.gpu.usage_meter import GpuUsageMeter
from tune.trial.lightning.legacy_api import add_upgrade_hint
from tune.trial.messages import Job, ProgramRun
from tune.trial.process.channel import SAID
from tune.trial.process.child_processes import ForkedChild
from tune.trial.program_run import ProgramTraces, execute_program, ignore_report

TICK_S = 0.2
GRACE_S = 10
"""How long the others have to come to an end of their own when one process came to a bad one."""
LAST_S = 60
"""How long they have when rank 0 is through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankResult:
    """What one execution was in one process: plain data, since what the program holds and raises may not travel."""

    rank: int
    pid: int
    taken: dict[str, int]
    """How often each promoted expression was executed."""
    in_force: dict[str, Any]
    """The proof, by constant."""
    failure: Failure | None = None
    """Why it failed, if it did."""
    failed: float = math.inf
    """When, in seconds since the epoch; infinite where it did not."""
    trace: str = ""
    """The traceback."""
    not_evaluated: str | None = None
    """Why it could not evaluate data that the search never saw, which fails no trial; None: it could, or had not to."""


class RankGroup:
    """The other ranks of one execution."""

    def __init__(
        self,
        job: Job,
        executor: Executor,
        order: ProgramRun,
        die: Callable[[str], None],
        usage: GpuUsageMeter | None = None,
    ) -> None:
        """Fork them; ``die`` ends this process, for the reason that it is given. ``usage``: what all use of GPUs."""
        self._job = job
        self._die = die
        self._listener, self._port = open_store_socket()
        self._ranks = {
            rank: ForkedChild(functools.partial(_run_rank, job, executor, order, rank, self._port, usage))
            for rank in range(1, job.n_ranks)
        }

    @property
    def pids(self) -> dict[int, int]:
        """Processes by their ranks."""
        return {rank: child.pid for rank, child in self._ranks.items()}

    @contextlib.contextmanager
    def run_with_ranks(
        self, on_end: Callable[[Sequence[RankResult]], None], on_stuck: Callable[[BaseException], None]
    ) -> Iterator[DistributedContext]:
        """Be rank 0 of the process group meanwhile; ``on_end`` is given what the others did.

        Raises ChildFailure where another rank failed first; where this process cannot raise it, ``on_stuck`` takes it.
        """
        distributed = DistributedContext(n_ranks=self._job.n_ranks)
        failed, earlier = 0.0, None
        try:
            with (
                self._watch_in_thread(on_stuck),
                join_process_group(distributed, self._port, self._listener, on_cpu=_is_on_cpu(self._job)),
            ):
                try:
                    yield distributed
                    self._wait_for_ranks()
                except BaseException:
                    failed = time.time()
                    raise
        except BaseException:
            earlier = self._stop_other_ranks(failed or time.time())
            if earlier is None:
                raise
        if earlier is not None:  # raised here, it does not come with what only followed from it
            raise earlier
        on_end([child.result for child in self._ranks.values()])

    def _wait_for_ranks(self) -> None:
        """Wait for the others, this one being through; raise what one of them failed of."""
        until = time.monotonic() + LAST_S
        for rank, child in self._ranks.items():
            if not child.poll(max(0.0, until - time.monotonic())):
                what = f"rank {rank} still ran {LAST_S} s after rank 0 had ended"
                raise ChildFailure(Failure(kind=HUNG, ours=True, message=what), "")
            if child.how_it_died is not None:
                self._die(_describe_death(rank, child))
            if child.result.failure is not None:
                raise _create_rank_failure(child.result)

    def _stop_other_ranks(self, failed: float) -> ChildFailure | None:
        """End the others; return what to raise if one of them failed before this one, at ``failed``."""
        until = time.monotonic() + GRACE_S
        for child in self._ranks.values():
            child.poll(max(0.0, until - time.monotonic()))
        for rank, child in self._ranks.items():
            if child.how_it_died is not None:
                self._die(_describe_death(rank, child))
            child.kill()
        bad = [child.result for child in self._ranks.values() if child.is_through and child.result.failure is not None]
        first = min(bad, key=lambda share: share.failed, default=None)
        return _create_rank_failure(first) if first is not None and first.failed < failed else None

    @contextlib.contextmanager
    def _watch_in_thread(self, on_stuck: Callable[[BaseException], None]) -> Iterator[None]:
        """End this process where another one ended badly and this one does not notice, as in a call of NCCL's."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch_ranks, args=(on_stuck, over), name="ranks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch_ranks(self, on_stuck: Callable[[BaseException], None], over: threading.Event) -> None:
        while not over.wait(TICK_S):
            through = [(rank, child) for rank, child in self._ranks.items() if child.poll(0)]
            bad = [(rank, child) for rank, child in through if _has_failed(child) or child.result.not_evaluated]
            if not bad:
                continue
            rank, child = next((each for each in bad if _has_failed(each[1])), bad[0])
            if over.wait(GRACE_S if _has_failed(child) else LAST_S):
                return
            if child.how_it_died is not None:
                self._die(_describe_death(rank, child))
            on_stuck(_create_rank_failure(child.result))
            os._exit(SAID)


def _is_on_cpu(job: Job) -> bool:
    return job.trainer.get("accelerator") == "cpu"


def _has_failed(child: ForkedChild) -> bool:
    return child.how_it_died is not None or child.result.failure is not None


def _describe_death(rank: int, child: ForkedChild) -> str:
    """Return how a rank died, in words; how the program ended it itself is what the trial's own process would say."""
    how = child.how_it_died or ""
    return how if how.startswith("the program called") else f"rank {rank} of the trial died: {how}"


def _create_rank_failure(share: RankResult) -> ChildFailure:
    if share.failure is None:  # a call of NCCL's waits for a process that is through, and says nothing
        what = f"{share.not_evaluated} (rank {share.rank}), and rank 0 did not come to its end {LAST_S} s later"
        return ChildFailure(Failure(kind=HUNG, ours=True, message=what), "")
    return ChildFailure(replace(share.failure, message=f"{share.failure.message} (rank {share.rank})"), share.trace)


def _run_rank(
    job: Job, executor: Executor, order: ProgramRun, rank: int, port: int, usage: GpuUsageMeter | None
) -> RankResult:
    """Execute an order in a forked process of another rank; whatever goes wrong is in the answer."""
    setproctitle(f"promotune: {Path(order.task.version).name}, rank {rank}")
    rank_zero: Any = importlib.import_module("pytorch_lightning.utilities.rank_zero")
    rank_zero.rank_zero_only.rank = rank
    distributed = DistributedContext(rank=rank, n_ranks=job.n_ranks)
    if usage is not None:
        usage.rank = rank
    traces: list[ProgramTraces] = []
    failure, failed, trace, not_evaluated = None, math.inf, "", None
    try:
        with join_process_group(distributed, port, None, on_cpu=_is_on_cpu(job)):
            cap_gpu_memory(job.gpu_share, job.context_bytes)
            fit = execute_program(
                job, executor, order, distributed, ignore_report, lambda: None, traces.append, usage=usage
            )
            not_evaluated = fit.held_out_values.failure
    except BaseException as error:  # the program may raise anything
        failed, trace = time.time(), "".join(traceback.format_exception(error))
        failure = add_upgrade_hint(create_failure(error, job), executor.snapshot.stored_program)
        print_uncaught(error)
    if usage is not None:
        usage.note_peak()
    return RankResult(
        rank=rank,
        pid=os.getpid(),
        taken=traces[0].taken if traces else {},
        in_force=traces[0].in_force if traces else {},
        failure=failure,
        failed=failed,
        trace=trace,
        not_evaluated=not_evaluated,
    )
