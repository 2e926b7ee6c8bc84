"""Ends a worker that should not go on: its driver is gone, a later attempt has its trial, or it hangs.

Ray has no way to end a trial from the driver that makes no progress, and its own check for a dead driver takes some
seconds, in which a worker would write on. So a thread looks, and leaves by ``os._exit``: nothing of the program runs.

In the pre-flight nothing is taken for a hang: it is the first to load, or to fetch, the program's data, and somebody
waits for it.
"""

import contextlib
import faulthandler
import os
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from tune.paths import VersionPaths
from tune.trial.orphans import agents_of, end_orphans, is_alive, raylet
from tune.trial.record import read_record

TICK_S = 0.5
EPOCHS = 10
"""A trial hangs when it has not reported for so many of its epochs, in the median, and for the given time."""
EXIT_CODE = 70
TIMER_WORDS = re.compile(r"Timeout \((\d+):(\d\d):(\d\d)(\.\d+)?\)!")
"""What faulthandler's timer writes first: it ends a worker whose interpreter is held by C code."""
HELD_WORDS = "the interpreter was held for "
EXIT_WORDS = "the program called os._exit("
RANK_WORDS = re.compile(r"rank \d+ of the trial died")

_exit = os._exit


def leave_at_once(status: int) -> NoReturn:
    """End this process; nothing of the program runs."""
    _exit(status)


def rank_died(rank: int) -> str:
    """Return what the log says of a trial of several processes of which one died; its worker ends with it."""
    return f"rank {rank} of the trial died"


class Guard:
    """Watches one attempt of a trial while it is entered."""

    def __init__(
        self, files: VersionPaths, attempt: int, hang_after_s: float | None, on_hang: Callable[[str], None]
    ) -> None:
        self._files = files
        self._attempt = attempt
        self._hang_after_s = hang_after_s
        self._on_hang = on_hang
        self._parent, self._raylet = os.getppid(), raylet()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)
        self._beat = self._reported = time.monotonic()
        self._epochs_s: list[float] = []
        self._is_last = False  # what a program does behind its last epoch is no epoch
        self._awake = False
        self._turn = threading.Lock()  # else the thread could set the timer of a trial that has just gone to sleep
        self._log: Any = None

    def __enter__(self) -> "Guard":
        self._log = self._files.log.open("ab")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()
        self._log.close()

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Take silence for a hang meanwhile."""
        self._wake()
        try:
            yield
        finally:
            self._sleep()

    def beat(self) -> None:
        """Hear that a batch is done."""
        self._beat = time.monotonic()

    @contextlib.contextmanager
    def reporting(self, *, last: bool) -> Iterator[None]:
        """Count an epoch; how long the driver takes to answer says nothing of the trial."""
        self._is_last = last
        self._epochs_s.append(time.monotonic() - self._reported)
        self._sleep()
        try:
            yield
        finally:
            self._wake()

    def _wake(self) -> None:
        with self._turn:
            self._beat = self._reported = time.monotonic()
            self._wind_up()  # here, too: what comes next may hold the interpreter before the thread has its turn
            self._awake = True

    def _sleep(self) -> None:
        with self._turn:
            self._awake = False
            faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        agents = agents_of(self._raylet)
        while not self._over.wait(min(TICK_S, (self._hang_after_s or TICK_S) / 4)):
            if os.getppid() != self._parent or not is_alive(self._raylet):
                end_orphans(agents, self._raylet)
                _exit(EXIT_CODE)
            if self._is_fenced():
                _exit(EXIT_CODE)
            with self._turn:
                if self._awake and self._hang_after_s is not None:
                    self._look()

    def _is_fenced(self) -> bool:
        record = read_record(self._files)
        return record is not None and record.attempt > self._attempt

    @property
    def _limit_s(self) -> float:
        return max(self._hang_after_s or 0.0, EPOCHS * statistics.median(self._epochs_s or [0.0]))

    def _wind_up(self) -> None:
        """Set the timer for the time in which the thread cannot run."""
        if self._hang_after_s is not None:
            faulthandler.dump_traceback_later(self._limit_s, exit=True, file=self._log)

    def _look(self) -> None:
        """End a trial that hangs."""
        by_epochs = self._epochs_s and not self._is_last  # a first epoch may be long: its batches tell
        silent_s = time.monotonic() - (self._reported if by_epochs else max(self._beat, self._reported))
        if silent_s < self._limit_s:
            self._wind_up()
            return
        faulthandler.dump_traceback(file=self._log, all_threads=True)
        try:
            self._on_hang(f"no {'epoch' if by_epochs else 'batch'} ended for {silent_s:.0f} s")
        finally:  # the disk may be full
            _exit(EXIT_CODE)


@contextlib.contextmanager
def exit_is_told() -> Iterator[None]:
    """Let ``os._exit`` in the trial's own process say so in the log; nobody else hears of it."""
    process = os.getpid()

    def told(status: int) -> None:
        if os.getpid() == process:
            os.write(2, f"{EXIT_WORDS}{status})\n".encode())
        _exit(status)

    os._exit = told  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = _exit


def last_words(log: Path, start: int) -> str | None:
    """Return why a worker died, as far as its log says behind ``start``; None where it says nothing."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    of_rank = None
    for line in reversed(lines):
        if RANK_WORDS.fullmatch(line):
            of_rank = line  # how it died stands before that, if it could say it
        if line.startswith("Fatal Python error: "):
            return line.removeprefix("Fatal Python error: ")
        if line.startswith(EXIT_WORDS):
            return line
        if timer := TIMER_WORDS.fullmatch(line):
            hours, minutes, seconds = map(int, timer.groups()[:3])
            return f"{HELD_WORDS}{3600 * hours + 60 * minutes + seconds} s; its stacks are in {log.name}"
    return of_rank
