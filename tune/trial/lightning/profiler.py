"""Where a worker's time goes, for ``--profile``: at every moment exactly one part counts, so that all add up.

Which part of a trial's time each action of a Trainer belongs to, for ``--profile``.

Lightning tells the Trainer's profiler of all that it does, by name. We listen to the one that the Trainer has, be it
the program's own, and time its loops, which it does not tell of as a whole.

A worker is an actor. Its stopwatch is handed to the process of each trial, and comes back with its end.
"""

import contextlib
import functools
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from tune.experiment.records import CHECKPOINTS, DATA, IDLE, START, TRAINING, VALIDATION, Lap

State = tuple[str, float, float, dict[str, float]]
"""``host:pid`` of the worker; when its last lap ended, in seconds since the epoch; until when its time is counted, by
``time.perf_counter``; and its seconds by part since that lap."""


class Stopwatch:
    """One for a worker. Parts lie inside of each other, and the innermost counts."""

    def __init__(self, session: float, state: "State | None" = None, since: str = IDLE) -> None:
        """``state``: where another process of this machine handed it over; ``since`` then is what counted."""
        self._session = session
        self._inside = [IDLE]
        handed_over = state is not None
        if state is None:
            worker = f"{socket.gethostname()}:{os.getpid()}"
            state = (worker, time.time(), time.perf_counter(), {})
            self._inside = [START]
        self._worker, self._began, self._since, self._parts = state
        self.lap_ended = (self._began, self._since)
        """When the last lap ended, as ``take_back`` takes it."""
        if handed_over and since != IDLE:
            self._inside.append(since)
            self.leave_part()

    def hand_over(self) -> "State":
        """Return what another process goes on with; this one counts from the end of that one's lap, or from now."""
        self._count_time()
        state = (self._worker, self._began, self._since, self._parts)
        self._inside, self._parts, self._began = [IDLE], {}, time.time()
        return state

    def take_back(self, began: float, since: float) -> None:
        """Go on where a lap ended: in seconds since the epoch, and by ``time.perf_counter``."""
        self._began, self._since, self._parts = began, since, {}

    @contextlib.contextmanager
    def time_part(self, part: str) -> Iterator[None]:
        """Count this part meanwhile, whatever was left open inside of it."""
        depth = len(self._inside)
        self.enter_part(part)
        try:
            yield
        finally:
            self._count_time()
            del self._inside[depth:]

    def enter_part(self, part: str) -> None:
        """Count this part, until ``leave_part``."""
        self._count_time()
        self._inside.append(part)

    def leave_part(self) -> None:
        """Count again what was counted before."""
        self._count_time()
        if len(self._inside) > 1:
            self._inside.pop()

    def time_calls(self, owner: Any, part: str, *names: str) -> None:
        """Count calls of these methods of an object as this part."""
        for name in names:
            setattr(owner, name, self._wrap_call(getattr(owner, name), part))

    def _wrap_call(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def replacement(*args: Any, **given: Any) -> Any:
            with self.time_part(part):
                return function(*args, **given)

        return replacement

    def finish_lap(self) -> Lap | None:
        """Return the time since the last lap, and begin the next one."""
        self._count_time()
        began, self._began = self._began, time.time()
        parts, self._parts = self._parts, {}
        self.lap_ended = (self._began, self._since)
        return Lap(worker=self._worker, session=self._session, began=began, ended=self._began, parts=parts)

    def _count_time(self) -> None:
        now = time.perf_counter()
        part = self._inside[-1]
        self._parts[part] = self._parts.get(part, 0.0) + now - self._since
        self._since = now


class NoStopwatch(Stopwatch):
    """The one of a search that nobody profiles: it does nothing."""

    def __init__(self) -> None:
        self.lap_ended = (0.0, 0.0)

    def time_part(self, part: str) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """Count nothing."""
        return contextlib.nullcontext()

    def hand_over(self) -> State:
        """Return nothing that counts."""
        return ("", 0.0, 0.0, {})

    def take_back(self, began: float, since: float) -> None:
        """Count nothing."""

    def time_calls(self, owner: Any, part: str, *names: str) -> None:
        """Leave the methods as they are."""

    def finish_lap(self) -> Lap | None:
        """Return that there is none."""
        return None


def create_stopwatch(session: float | None, state: State | None = None, since: str = IDLE) -> Stopwatch:
    """Return a stopwatch; one that does nothing where no session is to be profiled."""
    return NoStopwatch() if session is None else Stopwatch(session, state, since)


ACTIONS = (
    (re.compile(r".*_next"), DATA),
    (re.compile(r"\[LightningDataModule\].*\.(prepare_data|setup|\w+_dataloader)"), DATA),
    (re.compile(r"\[LightningModule\].*\.(prepare_data|\w+_dataloader)"), DATA),
    (re.compile("save_checkpoint"), CHECKPOINTS),
)


@functools.cache
def part_of(action: str) -> str | None:
    """Return the part that an action begins; None where it is a piece of what goes on anyway."""
    return next((part for pattern, part in ACTIONS if pattern.fullmatch(action)), None)


def profile_trainer(trainer: Any, stopwatch: Stopwatch) -> None:
    """Count what a Trainer does."""
    if isinstance(stopwatch, NoStopwatch):
        return
    start, stop = trainer.profiler.start, trainer.profiler.stop

    def start_action(action: str) -> None:
        start(action)
        if (part := part_of(action)) is not None:
            stopwatch.enter_part(part)

    def stop_action(action: str) -> None:
        if part_of(action) is not None:
            stopwatch.leave_part()
        stop(action)

    trainer.profiler.start, trainer.profiler.stop = start_action, stop_action
    stopwatch.time_calls(trainer.fit_loop, TRAINING, "run")
    for loop in (trainer.fit_loop.epoch_loop.val_loop, trainer.validate_loop, trainer.test_loop):
        stopwatch.time_calls(loop, VALIDATION, "run")
