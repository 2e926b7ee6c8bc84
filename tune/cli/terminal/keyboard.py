"""Single keys from the terminal that this process runs in, while a search is drawn there.

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
from collections.abc import Callable
from types import FrameType
from typing import Any

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
