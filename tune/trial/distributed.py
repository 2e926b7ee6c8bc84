"""A trial in several processes: the worker leads as rank 0, and has actors of its own for the other ranks.

Why not Ray Train: its workers are new processes in every trial, which import torch anew; its controller hears of no
stop, so that a trial that the scheduler ends would go on; and its strategies descend from one of Lightning's two class
trees. Here the trial is what it is in one process, on a warm worker, with the same report, stop and resume: the other
ranks execute the same program, and learn what rank 0 was told from rank 0.

Nothing waits for a process that is gone. The first thing that went wrong, by the clock, is what is told: the others
only lost their connection. A rank that died ends its worker, as if that had died: the trial goes on from its last
checkpoint, or fails, by the same rule.
"""

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import ray
from ray.exceptions import RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tune.trial.execution import Order
from tune.trial.failure import RankError
from tune.trial.guard import EXIT_CODE, leave_at_once, rank_died
from tune.trial.rank import VISIBLE, Rank, Share
from tune.trial.record import HUNG, Failure
from tune.trial.seat import MEETING_S, Seat, grouped, open_store
from tune.trial.task import Job

TICK_S = 0.2
GRACE_S = 10
"""How long the others have to come to an end of their own when one process came to a bad one."""
LAST_S = 60
"""How long they have when rank 0 is through."""


@dataclass(slots=True)
class _Post:
    """One of the other ranks, and what it does now."""

    rank: int
    work: Any
    share: Share | None = None
    died: bool = False

    def look(self, timeout_s: float = 0) -> bool:
        """Tell whether it is through, well or not; wait for that so long."""
        if self.share is None and not self.died and ray.wait([self.work], timeout=timeout_s)[0]:
            try:
                self.share = ray.get(self.work)
            except RayError:
                self.died = True
        return self.is_through

    @property
    def is_through(self) -> bool:
        return self.died or self.share is not None

    @property
    def is_bad(self) -> bool:
        return self.died or (self.share is not None and self.share.failure is not None)

    @property
    def error(self) -> RankError | None:
        """What to raise in its place; None where it did not fail."""
        if self.share is None or self.share.failure is None:
            return None
        failure = self.share.failure
        return RankError(replace(failure, message=f"{failure.message} (rank {self.rank})"), self.share.trace)


class Crew:
    """The other ranks of one worker, from trial to trial."""

    def __init__(self, job: Job) -> None:
        """Start them: they get warm beside the worker."""
        self._job = job
        self._actors: dict[int, Any] = {}
        self._man()

    def _man(self) -> None:
        """Start those that are missing."""
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        kind = ray.remote(Rank).options(num_cpus=0, num_gpus=0, max_restarts=0, scheduling_strategy=here)
        for rank in range(1, self._job.n_ranks):
            if rank not in self._actors:
                self._actors[rank] = kind.remote(self._job, rank, os.environ.get(VISIBLE))

    def dismiss(self) -> None:
        """End them all."""
        for rank in list(self._actors):
            self._end(rank)

    def _end(self, rank: int) -> None:
        with contextlib.suppress(RayError):
            ray.kill(self._actors.pop(rank))

    def gather(self) -> list[int]:
        """Return their processes, in the order of their ranks, once all are warm."""
        return [self._pid(rank) for rank in range(1, self._job.n_ranks)]

    @contextlib.contextmanager
    def along(
        self, order: Order, ended: Callable[[Sequence[Share]], None], stuck: Callable[[RankError], None]
    ) -> Iterator[Seat]:
        """Let the others, which are warm, execute an order while the block does; ``ended`` hears what it was there.

        Raises RankError where another rank failed first, and ``stuck`` hears of it where this one cannot. Where one
        died, this process ends, and the trial's log says why.
        """
        listener, port = open_store()
        posts = [_Post(rank, self._actors[rank].run.remote(order, port)) for rank in sorted(self._actors)]
        seat = Seat(n_ranks=self._job.n_ranks)
        failed, earlier = 0.0, None
        try:
            with _watched(posts, stuck), grouped(seat, port, listener):
                try:
                    yield seat
                    _wait_for(posts)
                except BaseException:
                    failed = time.time()
                    raise
        except BaseException:
            earlier = self._part(posts, failed or time.time())
            if earlier is None:
                raise
        if earlier is not None:  # raised here, it does not come with what only followed from it
            raise earlier
        ended([post.share for post in posts if post.share is not None])

    def _pid(self, rank: int) -> int:
        """Return a rank's process; one that died meanwhile is replaced."""
        try:
            return int(ray.get(self._actors[rank].pid.remote(), timeout=MEETING_S))
        except RayActorError:
            self._end(rank)
            self._man()
            return int(ray.get(self._actors[rank].pid.remote(), timeout=MEETING_S))

    def _part(self, posts: Sequence[_Post], failed: float) -> RankError | None:
        """End what still runs; return what to raise if another rank failed before this one, at ``failed``."""
        until = time.monotonic() + GRACE_S
        for post in posts:
            post.look(max(0.0, until - time.monotonic()))
        for post in posts:
            if post.died:
                _lose(post)
        for post in posts:
            if not post.is_through:
                self._end(post.rank)
        self._man()
        bad = [post for post in posts if post.share is not None and post.error is not None]
        first = min(bad, key=_failed, default=None)
        return first.error if first is not None and _failed(first) < failed else None


def _failed(post: _Post) -> float:
    return post.share.failed if post.share is not None else math.inf


def _wait_for(posts: Sequence[_Post]) -> None:
    """Wait for the others, this one being through; raise what one of them failed of."""
    until = time.monotonic() + LAST_S
    for post in posts:
        if not post.look(max(0.0, until - time.monotonic())):
            what = f"rank {post.rank} did not come to its end {LAST_S} s after rank 0 did"
            raise RankError(Failure(kind=HUNG, ours=True, message=what), "")
        if post.died:
            _lose(post)
        if post.error is not None:
            raise post.error


@contextlib.contextmanager
def _watched(posts: Sequence[_Post], stuck: Callable[[RankError], None]) -> Iterator[None]:
    """End this process where another one ended badly and this one does not notice, as in a call of NCCL's."""
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(posts, stuck, over), name="crew", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _watch(posts: Sequence[_Post], stuck: Callable[[RankError], None], over: threading.Event) -> None:
    while not over.wait(TICK_S):
        for post in posts:
            post.look()
        bad = next((post for post in posts if post.is_bad), None)
        if bad is None:
            continue
        if over.wait(GRACE_S):
            return
        if bad.error is None:
            _lose(bad)
        else:
            stuck(bad.error)
            leave_at_once(EXIT_CODE)


def _lose(post: _Post) -> NoReturn:
    """End this worker as its other process ended, with a word in the log."""
    os.write(2, f"{rank_died(post.rank)}\n".encode())
    leave_at_once(EXIT_CODE)
