"""Single keys from the terminal that this process runs in, while a search is drawn there, and what they ask of it.

Each key asks first, and sends a request as any other process would.

The terminal's lines and its echo are off meanwhile; Ctrl-C and Ctrl-Z work as ever. A small shell waits for the end of
this process, and restores the terminal where that was killed.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from tune.errors import PromotuneError
from tune.experiment.requests import RequestAnswer
from tune.experiment.steer import ask_running, stop_trials
from tune.paths import ExperimentPaths

TICK_S = 0.25
"""How soon it is seen that this process is in the foreground again."""
END_S = 1.0
"""For a key whose request a search that ends no longer answers; its thread ends with this process."""
MOST_BYTES = 64
"""That are read at once."""
WATCHER = """
exec 3<&1
saved=$(stty -g <&3) || exit
echo >&2
read -r _
ours=$(stty -g <&3)
cat >/dev/null
[ "$(stty -g <&3)" = "$ours" ] && stty "$saved" <&3
"""
"""Remembers the terminal before and after it is changed; where it is as we left it when standard input ends, restores
it. A shell that has taken it over by then is left alone."""


def is_own_terminal(descriptor: int) -> bool:
    """Tell whether a descriptor is the terminal of this process, and the process is in its foreground."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # a terminal that is not the controlling one
        return False


class Keyboard:
    """Calls ``on_keys`` with what was typed, from a thread of its own; does nothing where there is no terminal."""

    def __init__(self, on_keys: Callable[[str], None]) -> None:
        self._on_keys = on_keys
        self._saved: list[Any] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._wake = (-1, -1)
        self._thread = threading.Thread(target=self._read_keys, name="keyboard", daemon=True)
        self._on_suspend: Any = None
        self._descriptor = -1
        self._is_over = False
        self._lock = threading.RLock()
        self._is_suspending = False  # the terminal is given back, and is not to be taken again; under the lock

    @property
    def is_there(self) -> bool:
        """Whether keys are read."""
        return self._saved is not None

    def start_reading(self) -> None:
        """Take the terminal, where there is one."""
        if sys.stdin is None or threading.current_thread() is not threading.main_thread():
            return
        with contextlib.suppress(OSError, ValueError, termios.error):
            descriptor = sys.stdin.fileno()
            if is_own_terminal(descriptor):
                self._descriptor = descriptor
                self._take_terminal()

    def stop_reading(self) -> None:
        """Give the terminal back."""
        if self._saved is None:
            return
        self._is_over = True
        os.write(self._wake[1], b".")
        self._thread.join(END_S)
        if self._watcher is not None:
            with self._watcher:
                self._watcher.kill()
        self._restore()
        signal.signal(signal.SIGTSTP, self._on_suspend)
        if not self._thread.is_alive():
            for descriptor in self._wake:
                os.close(descriptor)
        self._saved = None

    def _take_terminal(self) -> None:
        self._saved = termios.tcgetattr(self._descriptor)
        self._watcher = self._start_watcher()
        self._wake = os.pipe()
        self._on_suspend = signal.signal(signal.SIGTSTP, self._suspend)
        self._set_modes()
        self._thread.start()
        if self._watcher is not None and self._watcher.stdin is not None:
            with contextlib.suppress(OSError):  # it has ended: this process restores the terminal itself
                self._watcher.stdin.write(b"\n")
                self._watcher.stdin.flush()

    def _start_watcher(self) -> subprocess.Popen[bytes] | None:
        """Return the process that restores the terminal; it holds no pipe of ours, and is in a session of its own."""
        try:
            watcher = subprocess.Popen(  # noqa: S603 - a fixed text
                ["/bin/sh", "-c", WATCHER],
                stdin=subprocess.PIPE,
                stdout=self._descriptor,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError:
            return None
        assert watcher.stderr is not None
        with watcher.stderr:
            watcher.stderr.read(1)
        return watcher

    def _set_modes(self) -> None:
        assert self._saved is not None
        modes = [*self._saved[:6], [*self._saved[6]]]
        modes[3] &= ~(termios.ICANON | termios.ECHO)
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, modes)

    def _has_modes(self) -> bool:
        return not termios.tcgetattr(self._descriptor)[3] & termios.ICANON

    def _restore(self) -> None:
        """Give the terminal its own modes back; where another process has it, that one has set them."""
        if is_own_terminal(self._descriptor):
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._saved or [])

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Give the terminal back before Ctrl-Z stops this process."""
        with self._lock:
            self._is_suspending = True
            self._restore()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)
        self._is_suspending = False

    def _read_keys(self) -> None:
        # here a read in the background is an error, and does not stop the process
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTIN, signal.SIGTTOU))
        while not self._is_over:
            with contextlib.suppress(OSError, termios.error):
                ours = is_own_terminal(self._descriptor)
                with self._lock:
                    if ours and not self._is_suspending and not self._has_modes():
                        self._set_modes()
                watched = [self._wake[0], self._descriptor] if ours else [self._wake[0]]
                ready, _, _ = select.select(watched, [], [], TICK_S)
                if self._wake[0] in ready:
                    return
                if ready and is_own_terminal(self._descriptor):
                    typed = os.read(self._descriptor, MOST_BYTES)
                    if not typed:
                        return  # the terminal is gone
                    self._on_keys(typed.decode(errors="replace"))
                continue
            if select.select([self._wake[0]], [], [], TICK_S)[0]:
                return


KEYS = "keys: s: stop a trial, e: end after the running ones, +: more trials"
ASKED_S = 20.0
"""A question that nobody answers for so long is a no."""
TOLD_S = 8.0
"""How long an answer is shown."""
ESCAPE = "\x1b"
MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class _Question:
    text: str
    """What is shown; ``{}`` stands for the number that was typed so far."""
    is_number: bool
    """Whether a number and Enter answer it; else a single y does."""
    act: Callable[[int], RequestAnswer]


class KeyCommands:
    """Those of one search. ``press_keys`` comes from the keyboard's thread, ``line`` from that which draws."""

    def __init__(
        self,
        paths: ExperimentPaths,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``on_change``: is called when there is another line to draw."""
        self._on_change = on_change
        self._clock = clock
        self._asked: tuple[_Question, float] | None = None
        self._digits = ""
        self._told: tuple[str, float] | None = None
        self._questions = {
            "s": _Question(
                "stop which trial after its epoch? number and Enter; Esc: none: {}",
                is_number=True,
                act=lambda number: stop_trials(paths, [number], why="a key"),
            ),
            "e": _Question(
                "start no further trial, and end after the running ones? y: yes, any other key: no",
                is_number=False,
                act=lambda _: stop_trials(paths, finish=True),
            ),
            "+": _Question(
                "how many more trials? number and Enter; Esc: none: {}",
                is_number=True,
                act=lambda number: ask_running(paths, "set", {"trials": f"+{number}"}),
            ),
        }

    @property
    def line(self) -> str:
        """What the last line of the picture says."""
        now = self._clock()
        asked, told = self._asked, self._told
        if asked is not None and now - asked[1] < ASKED_S:
            return asked[0].text.format(self._digits)
        if told is not None and now - told[1] < TOLD_S:
            return told[0]
        return KEYS

    def press_keys(self, typed: str) -> None:
        """Take what was typed at once; several letters at once were pasted, or are a key such as an arrow."""
        asked = self._asked
        if asked is not None and self._clock() - asked[1] >= ASKED_S:
            asked = self._asked = None
        if asked is None:
            self._ask(typed)
        elif asked[0].is_number and not typed.startswith(ESCAPE):
            for letter in typed:
                self._add_digit(asked[0], letter)
        else:
            self._asked = None
            if typed == "y" and not asked[0].is_number:
                self._act(asked[0], 0)
        self._on_change()

    def _ask(self, typed: str) -> None:
        question = self._questions.get(typed)
        if question is not None:
            self._digits = ""
            self._asked = (question, self._clock())

    def _add_digit(self, question: _Question, letter: str) -> None:
        if self._asked is None:
            return  # what was typed behind the end of the number
        if letter in "\r\n":
            self._asked = None
            if self._digits:
                self._act(question, int(self._digits))
        elif letter in "\x7f\b":
            self._digits = self._digits[:-1]
        elif letter in "0123456789" and len(self._digits) < MOST_DIGITS:
            self._digits += letter
        else:
            self._asked = None

    def _act(self, question: _Question, number: int) -> None:
        self._told = ("asked...", self._clock())
        self._on_change()
        try:
            answer = question.act(number)
        except PromotuneError as error:
            answer = RequestAnswer.of_error(error)
        self._told = (answer.what if answer.taken else f"refused: {answer.what}", self._clock())
