"""A trial's process as its actor sees it: what it says, how it ended, and whether it makes progress.

Where a process died that raised nothing: the stack that it wrote to its standard error.

``faulthandler`` writes one where a signal ends the process. ``log_os_exits`` has ``os._exit`` write the same form.
"""

import contextlib
import faulthandler
import os
import pickle
import queue
import re
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NoReturn

from tune.experiment.records import HUNG, Failure, read_record
from tune.paths import VersionPaths
from tune.promotion.project_folders import FOREIGN_FOLDERS, STANDARD_LIBRARY
from tune.trial.process.channel import (
    BATCH,
    CONNECTION_CLOSED,
    DIED,
    DONE,
    EPOCH,
    EPOCHS,
    EXIT_CALLED,
    LOST,
    TRAINED,
    TRAINING,
    describe_end,
    is_message,
    limit_reads,
)
from tune.trial.process.client import TrialProcess
from tune.trial.process.linux import count_oom_kills

TICK_S = 0.5
STOPPED_S = 10.0
"""A thread that has not looked for so long was stopped itself."""
STACKS_S = 2.0
"""For a process that hangs to write its stacks."""
HANG_EPOCHS = 10
"""A trial hangs when it has not reported for so many of its epochs, in the median, and for the given time."""
LONGEST = 55
"""Characters of a temporary folder's path: ``multiprocessing`` binds sockets below it, whose paths may have 107. A
longer one is not used, and the trial has the folder of all."""
MOST_MESSAGE_BYTES = 2**26
"""Longer ones are none of ours. The longest names the modules that a program imported."""
READ_S = 10.0
"""For more of a message that has begun."""
LEAVE_S = 60.0
"""For a trial that is through to end: its threads that are no daemons, its exit functions."""
WROTE = "the program wrote into its connection to the search"
ENDED = "ended"
"""The last message of a process: how it ended where it did not say that it was through; None where it did."""


class HangClock:
    """Measures the silence of one trial while it trains, and the driver does not keep it waiting."""

    def __init__(self, hang_after_s: float | None) -> None:
        self._hang_after_s = hang_after_s
        self._batch = self._reported = time.monotonic()
        self._epochs_s: list[float] = []
        self._is_last = False  # what a program does behind its last epoch is no epoch
        self._is_on = False

    def record_message(self, what: str, content: tuple[Any, ...]) -> None:
        """Take a message of the trial's."""
        now = time.monotonic()
        if what == TRAINING:
            self.resume()
        elif what in (TRAINED, EPOCHS, DONE):
            self._is_on = False
        elif what == BATCH:
            self._batch = now
        elif what == EPOCH:
            self._is_last = content[0]
            self._epochs_s.append(now - self._reported)
            self._batch = self._reported = now

    def exclude_time(self, seconds: float) -> None:
        """Do not count a time in which nobody could have said anything."""
        self._batch += seconds
        self._reported += seconds

    def resume(self) -> None:
        """Count from now on: the trial has its answer."""
        self._batch = self._reported = time.monotonic()
        self._is_on = True

    def describe_hang(self) -> str | None:
        """Return what did not come for how long, where that is too long."""
        if not self._is_on or self._hang_after_s is None:
            return None
        by_epochs = self._epochs_s and not self._is_last  # a first epoch may be long: its batches tell
        silent_s = time.monotonic() - (self._reported if by_epochs else max(self._batch, self._reported))
        limit_s = max(self._hang_after_s, HANG_EPOCHS * statistics.median(self._epochs_s or [0.0]))
        return f"no {'epoch' if by_epochs else 'batch'} ended for {silent_s:.0f} s" if silent_s >= limit_s else None


def create_temporary_folder(folder: Path) -> str | None:
    """Return a new folder for a trial's temporary files; None where its path would be too long."""
    fits = len(str(folder)) + len("/t-12345678") <= LONGEST
    return tempfile.mkdtemp(prefix="t-", dir=folder) if fits else None


class WatchedProcess:
    """One process, from its start to its end. A thread takes its messages, so that none is missed."""

    def __init__(
        self,
        process: TrialProcess,
        temporary: str | None,
        version: VersionPaths,
        attempt: int,
        hang_after_s: float | None,
    ) -> None:
        """``temporary``: a folder that is removed behind the process."""
        self._process = process
        limit_reads(process.connection, READ_S)
        self._version = version
        self._attempt = attempt
        self._clock = HangClock(hang_after_s)
        self._messages: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._done_at: float | None = None
        self._looked_at = time.monotonic()
        self._how: str | None = None
        self._n_oom_kills = count_oom_kills()
        self._temporary = temporary
        self.ended = threading.Event()
        """Set when the process has ended, and nothing of it is left."""
        self._thread = threading.Thread(target=self._watch_process, name="trial", daemon=True)
        self._thread.start()

    def next_message(self) -> tuple[Any, ...]:
        """Return the next message that is for the driver, or the last one, ENDED; wait for it."""
        return self._messages.get()

    def answer_report(self, *, stop: bool) -> None:
        """Tell the trial whether it is to stop after the epochs that it reported."""
        self._clock.resume()
        with contextlib.suppress(OSError):
            self._process.connection.send(stop)

    def kill(self) -> None:
        """End it at once; it is not waited for."""
        with contextlib.suppress(OSError):
            os.kill(self._process.pid, signal.SIGKILL)

    def _watch_process(self) -> None:
        listening = [self._process.connection]
        while (status := self._process.poll()) is None:
            ready = wait(
                [*listening, *self._process.readable_sockets], TICK_S if self._process.readable_sockets else TICK_S / 5
            )
            if self._process.connection in ready and not self._receive_message():
                listening.clear()
            since_s = time.monotonic() - self._looked_at
            if since_s >= TICK_S:
                self._looked_at += since_s
                if since_s >= STOPPED_S:  # a container was paused, a job suspended: the trial may have been, too
                    self._clock.exclude_time(since_s)
                self._end_if_needed()
        while listening and self._process.connection.poll() and self._receive_message():
            pass
        self._process.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        self.ended.set()
        self._messages.put((ENDED, self._describe_end(status)))

    def _receive_message(self) -> bool:
        """Take one message; return False where no more come."""
        try:
            what, *content = pickle.loads(self._process.connection.recv_bytes(MOST_MESSAGE_BYTES))  # noqa: S301 - our own
        except (EOFError, ConnectionError):
            return False
        except BlockingIOError:
            return self._end_for("it stopped within a message to the search")
        except Exception:  # what it says is not to be understood any more
            return self._end_for(WROTE)
        if not is_message((what, *content)):
            return self._end_for(WROTE)
        self._clock.record_message(what, tuple(content))
        if what == DIED:
            self._how = content[0]
        elif what not in (TRAINING, TRAINED, EPOCH, BATCH):
            if what == DONE:
                self._done_at = time.monotonic()
            self._messages.put((what, *content))
        return True

    def _end_for(self, how: str) -> bool:
        self._how = how
        self.kill()
        return False

    def _end_if_needed(self) -> None:
        """End a process that hangs, that does not end, or whose trial another process has by now."""
        if (hang := self._clock.describe_hang()) is not None:
            self._write_hang(f"{hang}; its stacks are in {self._version.log.name}")
            for number in (signal.SIGABRT, signal.SIGCONT):  # faulthandler writes the stacks; a stopped process goes on
                with contextlib.suppress(OSError):
                    os.kill(self._process.pid, number)
            until = time.monotonic() + STACKS_S
            while self._process.poll() is None and time.monotonic() < until:
                time.sleep(0.01)
            self.kill()
        elif (self._done_at is not None and time.monotonic() - self._done_at > LEAVE_S) or (
            (record := read_record(self._version)) is not None and record.attempt > self._attempt
        ):
            self.kill()

    def _write_hang(self, message: str) -> None:
        self._clock.record_message(TRAINED, ())
        failure = Failure(kind=HUNG, ours=True, message=message)
        with contextlib.suppress(OSError):  # the disk may be full
            self._version.error.write_text(f"{failure.reason}\n", encoding="utf-8")
            if (record := read_record(self._version)) is not None:
                replace(record, stage="failed", failure=failure, ended=time.time()).write_record(self._version)

    def _describe_end(self, status: int) -> str | None:
        if self._done_at is not None:
            return None
        if self._how is not None:
            return self._how
        if status == -signal.SIGKILL and count_oom_kills() > self._n_oom_kills:
            return "the system was out of memory, and ended it"
        if status != LOST:
            return describe_end(status)
        record = read_record(self._version)
        start = record.log_start if record is not None and record.attempt == self._attempt else 0
        return f"{EXIT_CALLED}({LOST})" if EXITED in _read_log_end(self._version.log, start) else CONNECTION_CLOSED


EXITED = "Fatal Python error: os._exit was called"
STACK = re.compile(
    r"^Fatal Python error: (?:(?!Fatal Python error: ).*\n)*?(?:Current thread .*|Stack )\(most recent call first\):\n"
    r"(?P<frames>(?:  File .*\n)+)",
    re.MULTILINE,
)
"""Other threads may be listed before the one that died."""
FRAME = re.compile(r'  File "(?P<file>[^<].*)", line (?P<line>\d+)')
OWN_PACKAGE = Path(__file__).parents[2]
MAX_BYTES = 2**20
"""Of the end of a log, which are read."""

Place = tuple[Path, int]
"""A file, and a line of it."""


def log_os_exits() -> None:
    """Write the stack where the program or a package calls ``os._exit``, in this process and in those it forks."""
    leave = os._exit

    def leave_noted(status: int) -> NoReturn:
        caller = Path(sys._getframe(1).f_code.co_filename)  # noqa: SLF001 - who calls decides
        if not is_ours(caller):
            with contextlib.suppress(Exception):  # the program may have closed the stream
                sys.stderr.flush()
                os.write(2, f"{EXITED}\n".encode())
                faulthandler.dump_traceback(2, all_threads=False)
        leave(status)

    os._exit = leave_noted


def find_crash_places(log: Path, start: int = 0) -> list[Place]:
    """Return the lines of the last stack in a log, the innermost first, without ours and the standard library's.

    ``start``: where the log of the process begins, in bytes.
    """
    stacks = [each["frames"] for each in STACK.finditer(_read_log_end(log, start))]
    places = [(Path(each["file"]), int(each["line"])) for each in FRAME.finditer(stacks[-1] if stacks else "")]
    return [place for place in places if not is_ours(place[0])]


def _read_log_end(log: Path, start: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - MAX_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def is_ours(file: Path) -> bool:
    """Tell whether a file is Promotune's or of the standard library."""
    is_standard = file.is_relative_to(STANDARD_LIBRARY) and FOREIGN_FOLDERS.isdisjoint(file.parts)
    return file.is_relative_to(OWN_PACKAGE) or is_standard
