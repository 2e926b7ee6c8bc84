"""Ctrl-C, SIGTERM and SIGUSR1 from the start of Ray to its end: the first waits for the search, which ends politely.

Raised while Ray starts or ends, it would leave Ray half there: a crash, or a minute of waiting.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""SLURM is asked for the last one (``--signal=USR1@300``) some time before a job's end."""


class InterruptHandler:
    """Takes the signals of this process; the second one is raised as KeyboardInterrupt."""

    def __init__(self) -> None:
        self.is_asked = False
        """Whether one has come."""
        self.on_first: Callable[[], None] = lambda: None
        """Is called with the first one, or at once by ``end_on_interrupt`` where that has come."""

    def handle_signal(self, number: int, frame: object) -> None:
        """Be the signals' handler."""
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True
        self.on_first()

    def install_handlers(self) -> None:
        """Handle the signals, whatever another library put there meanwhile; in the main thread alone."""
        if threading.current_thread() is threading.main_thread():
            for number in NUMBERS:
                signal.signal(number, self.handle_signal)


@contextlib.contextmanager
def block_sigusr1() -> Iterator[None]:
    """Let what this thread starts meanwhile not end by SIGUSR1, which SLURM may send to every process of a step."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_taken: list[InterruptHandler] = []


def reinstall_handlers() -> None:
    """Handle the signals again that another library has taken: Ray Tune takes SIGUSR1 as a search begins."""
    for interrupts in _taken[-1:]:
        interrupts.install_handlers()


@contextlib.contextmanager
def handle_interrupts(on_first: Callable[[], None] = lambda: None) -> Iterator[InterruptHandler]:
    """Take the signals meanwhile; within another such context, the outer one goes on.

    ``on_first`` is called with the first signal, until a search takes it; from the signal's handler.
    """
    if _taken:
        yield _taken[-1]
        return
    interrupts = InterruptHandler()
    interrupts.on_first = on_first
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in NUMBERS} if is_main else {}
    interrupts.install_handlers()
    _taken.append(interrupts)
    try:
        yield interrupts
    finally:
        _taken.remove(interrupts)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def end_on_interrupt(end: Callable[[], None]) -> Iterator[None]:
    """Call ``end`` with the first signal, at once where that has come; a second one is a KeyboardInterrupt."""
    with handle_interrupts() as interrupts:
        interrupts.install_handlers()
        before, interrupts.on_first = interrupts.on_first, end
        if interrupts.is_asked:
            end()
        try:
            yield
        finally:
            interrupts.on_first = before
            interrupts.is_asked = False  # it was for this search
