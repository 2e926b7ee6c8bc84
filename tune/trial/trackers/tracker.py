"""What a tracker needs from us: hooks in its own functions, and a way to close a run. A module of this room for each.

A tracker never fails a trial: what goes wrong in our hooks is written to the trial's log.
"""

import contextlib
import fcntl
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol

from tune.internals.private_apis import patch_attribute
from tune.trial.trackers.run_labels import RunEnd, RunLabels, RunState
from tune.trial.trackers.run_records import RunRecord

LOOK_S = 0.05
"""Between two looks at a lock."""


class TrialRuns(Protocol):
    """The runs of one trial, as trackers see them."""

    labels: RunLabels
    experiment: Path
    """The folder of the experiment, which all its trials share."""

    @property
    def scratch(self) -> Path | None:
        """Where a run that does not count may leave its files: a pre-flight's; None: runs count."""

    def count_runs(self, tracker: str) -> int:
        """Return how many runs of a tracker this process has begun."""

    def find_earlier_run(self, tracker: str) -> RunRecord | None:
        """Return the run of an earlier attempt that the next run of this tracker goes on with."""

    def add_run(self, record: RunRecord) -> None:
        """Take note of a run that began, or goes on."""

    def mark_closed(self, tracker: str, run: str, state: RunState) -> None:
        """Take note that a run is closed, and what the tracker was told of it."""

    def describe_end(self, *, failed: bool = False) -> RunEnd:
        """Return how the trial stands at this moment, as a run that ends now shows it."""


class Tracker:
    """One for each execution of a program, and for each package."""

    package: ClassVar[str]
    """Its name, as a program imports it."""
    logger: ClassVar[str] = ""
    """The class of Lightning's that logs to it."""

    def __init__(self, runs: TrialRuns) -> None:
        self.runs = runs

    def patch_package(self, package: ModuleType) -> contextlib.AbstractContextManager[None]:
        """Let the package tell us of its runs while this is entered."""
        raise NotImplementedError

    def close_run(self, record: RunRecord, end: RunEnd) -> None:
        """Close a run: one of this process, or of one that died."""
        raise NotImplementedError


@contextlib.contextmanager
def log_tracker_errors(tracker: str) -> Iterator[None]:
    """Write what goes wrong to the trial's log, and go on."""
    try:
        yield
    except Exception as error:
        sys.stderr.write(f"{tracker}: {type(error).__name__}: {error}\n")


@contextlib.contextmanager
def lock_folder(folder: Path, wait_s: float) -> Iterator[None]:
    """Let one trial at a time be here; go on without where the folder cannot be locked, or is locked for too long.

    The lock goes with the process that holds it, and leaves no file.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        until = time.monotonic() + wait_s
        while not _take_lock(descriptor) and time.monotonic() < until:
            time.sleep(LOOK_S)
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child that was forked meanwhile has the descriptor, too
        os.close(descriptor)


def _take_lock(descriptor: int) -> bool:
    """Return False where another process has the lock; a file system without locks is none to wait for."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


class NullRun:
    """A run that logs nothing: a pre-flight's, or one that could not begin."""

    name, project = "", ""

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return a function that does nothing."""
        return ignore_call


def ignore_call(*_: Any, **__: Any) -> None:
    """Do nothing."""


@contextlib.contextmanager
def close_as_finished(run_class: Any) -> Iterator[None]:
    """Let a tracker's ``with`` block close the run of a program that ended with status 0 as one that finished.

    So ends a trial that is stopped. Python looks ``__exit__`` up when a block is entered.
    """
    leave = run_class.__exit__

    @functools.wraps(leave)
    def replacement(run: Any, kind: Any, error: Any, trace: Any) -> Any:
        if not isinstance(error, SystemExit) or error.code not in (None, 0):
            return leave(run, kind, error, trace)
        leave(run, None, None, None)
        return None  # the end goes on

    with patch_attribute(run_class, "__exit__", replacement):
        yield


@contextlib.contextmanager
def guard_experiment(logger_class: Any) -> Iterator[None]:
    """Let a logger of Lightning's whose run cannot begin have one that logs nothing: Lightning asks for its name."""
    find = logger_class.experiment.fget

    @functools.wraps(find)
    def replacement(logger: Any) -> Any:
        if _is_broken(logger):
            return NullRun()
        try:
            return find(logger)
        except Exception as error:
            _break_logger(logger, error)
            return NullRun()

    with patch_attribute(logger_class, "experiment", property(replacement)):
        yield


BROKEN = "_promotune_broken"


def _is_broken(logger: Any) -> bool:
    return BROKEN in vars(logger)


def _break_logger(logger: Any, error: Exception) -> None:
    vars(logger)[BROKEN] = True
    what = f"{type(error).__name__}: {error}"
    sys.stderr.write(f"{type(logger).__name__} failed, and logs nothing more of this trial: {what}\n")


def guard_logger(logger: Any) -> None:
    """Let a logger of Lightning's fail without its trial: from its first error on it logs nothing more."""

    def guard_call(call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def replacement(*args: Any, **given: Any) -> Any:
            if _is_broken(logger):
                return None
            try:
                return call(*args, **given)
            except Exception as error:
                _break_logger(logger, error)
                return None

        return replacement

    for name in ("log_metrics", "log_hyperparams", "log_graph", "save", "finalize", "after_save_checkpoint"):
        if (call := getattr(logger, name, None)) is not None:
            setattr(logger, name, guard_call(call))
