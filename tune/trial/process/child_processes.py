"""Child processes of a trial: functions in a forked child, and children that would import the source on disk."""

import ast
import atexit
import contextlib
import functools
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import spawn
from multiprocessing.connection import Pipe
from typing import Any, NoReturn

from tune.errors import ProgramError
from tune.internals.private_apis import patch_attribute
from tune.promotion.program import Program
from tune.trial.process.channel import LOST, describe_end
from tune.trial.process.linux import CLEANER_S, become_subreaper, children_of, is_cleaner, kill_all, reap_children

TICK_S = 0.05


class ForkedChild:
    """A child process. It was forked before the program ran, so that it is what this process is."""

    def __init__(self, function: Callable[[], Any]) -> None:
        """Fork; ``function`` returns what can be pickled, and what it raises is printed, and is a death."""
        self._result: Any = None
        self.how_it_died: str | None = None
        """In words; None while it runs, and where it did not die."""
        self.is_through = False
        self._turn = threading.Lock()
        self._receiver, sender = Pipe(duplex=False)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._receiver.close()
            become_subreaper()
            _run_function(function, sender)
        sender.close()

    def poll(self, timeout_s: float) -> bool:
        """Return whether it is through, well or not; wait for that so long."""
        until = time.monotonic() + timeout_s
        while True:
            left_s = max(0.0, until - time.monotonic())
            with self._turn:
                if not self.is_through:
                    self._poll_once(min(TICK_S, left_s))
            if self.is_through or left_s == 0:
                return self.is_through

    def _poll_once(self, timeout_s: float) -> None:
        if self._receiver.poll(timeout_s):
            with contextlib.suppress(EOFError, OSError):
                self._result = self._receiver.recv()
            self._record_end(os.waitpid(self.pid, 0)[1])
        elif (found := os.waitpid(self.pid, os.WNOHANG))[0]:  # a child of its own may hold its end of the pipe
            self._record_end(found[1])

    def _record_end(self, status: int) -> None:
        if self._result is None:
            self.how_it_died = describe_end(os.waitstatus_to_exitcode(status))
        self._receiver.close()
        self.is_through = True

    @property
    def result(self) -> Any:
        """What the function returned; None where the process died."""
        return self._result

    def kill(self) -> None:
        """End it."""
        if not self.is_through:
            kill_all([self.pid])


def kill_leftover_children() -> None:
    """End the children of this process: what its forked children left behind, for no other ones were started yet."""
    until = time.monotonic() + CLEANER_S
    while left := children_of(os.getpid()):
        kill_all(each for each in left if not is_cleaner(each) or time.monotonic() > until)
        for _ in reap_children():
            pass
        time.sleep(0.001)


def _run_function(function: Callable[[], Any], sender: Any) -> None:
    status = 1
    try:
        result = function()
        status = LOST
        sender.send(result)
        atexit._run_exitfuncs()  # noqa: SLF001 - as at the end of any process; the standard library has no other word
        status = 0
    except BaseException:
        with contextlib.suppress(Exception):
            traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(status)


METHODS = frozenset({"spawn", "forkserver"})


@contextlib.contextmanager
def forbid_spawned_children(program: Program) -> Iterator[None]:
    """Raise ProgramError in whatever starts a child by spawn or forkserver: both first ask for this preparation."""

    def refuse_child(name: str) -> NoReturn:
        what = f"a child process ({name}) is started afresh, and would import the program with its hardcoded values"
        raise ProgramError(_find_spawn_call(program), what, "Use the start method `fork`, or num_workers=0.")

    before: Any = spawn.get_preparation_data
    spawn.get_preparation_data = refuse_child
    try:
        yield
    finally:
        spawn.get_preparation_data = before


EXEC = frozenset(name for name in dir(os) if name.startswith("exec"))
EXEC_HINT = "Start the search with what that line sets as an environment variable, so that the line is not reached."


@contextlib.contextmanager
def forbid_exec(program: Program) -> Iterator[None]:
    """Raise ProgramError where the program replaces its own process; a child that it forked may do that.

    All functions of that kind call one of two.
    """
    pid = os.getpid()

    def refuse(function: Callable[..., NoReturn]) -> Callable[..., NoReturn]:
        @functools.wraps(function)
        def replacement(*args: Any, **given: Any) -> NoReturn:
            if os.getpid() != pid:
                function(*args, **given)
            what = "the program replaces its process, and would train with its hardcoded values"
            raise ProgramError(_find_exec_call(program), what, EXEC_HINT)

        return replacement

    with patch_attribute(os, "execv", refuse(os.execv)), patch_attribute(os, "execve", refuse(os.execve)):
        yield


def _find_exec_call(program: Program) -> str | None:
    """Return the first place where the program calls such a function."""
    for source in program.sources.values():
        for node in ast.walk(source.tree):
            match node:
                case ast.Call(func=ast.Attribute(attr=name) | ast.Name(name)) if name in EXEC:
                    return f"{source.name}:{node.lineno}"
    return None


def _find_spawn_call(program: Program) -> str | None:
    """Return the first place where the program names such a start method, or calls ``torch.multiprocessing.spawn``."""
    for source in program.sources.values():
        for node in ast.walk(source.tree):
            match node:
                case ast.Constant(value=str(text)) if text in METHODS:
                    return f"{source.name}:{node.lineno}"
                case ast.Call(func=ast.Attribute(attr="spawn") | ast.Name("spawn")):
                    return f"{source.name}:{node.lineno}"
    return None
