"""A terminal that a process runs in: a real pty, and pyte to know what it shows."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time

import pyte

PATIENCE_S = 60.0  # a machine that others use may be slow; nothing is timed
REST_OF_FRAME_S = 0.05
"""What is drawn at once arrives within this time."""

DECIDES = {"NO_COLOR", "FORCE_COLOR", "LC_ALL", "LC_CTYPE", "COLUMNS", "LINES"}
"""Variables of the tests' own environment that would change what is shown."""


class Terminal:
    """Runs a command; breaks lines anew when it is resized, as most terminals do."""

    def __init__(self, words, *, columns=80, rows=24, environment=None, cwd=None):
        self._master, slave = pty.openpty()
        self._lock = threading.Condition()
        self._new_screen(columns, rows)
        self.raw = b""
        inherited = {name: value for name, value in os.environ.items() if name not in DECIDES}
        environment = {**inherited, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(environment or {})}
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            text=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _new_screen(self, columns, rows):
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self._stream = pyte.ByteStream(self.screen)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self):
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the last process closed it
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data)
                self._lock.notify_all()

    def resize(self, columns, rows):
        with self._lock:
            lines = [line.rstrip() for line in self.screen.display]
            lines = lines[: self.screen.cursor.y + 1]
            self._new_screen(columns, rows)
            self._stream.feed("\r\n".join(lines).encode())
        self.process.send_signal(28)  # SIGWINCH: the pty is not its controlling terminal

    @property
    def lines(self):
        """What is shown, without blank lines at the end."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def n_scrolled(self):
        return len(self.screen.history.top)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    @contextlib.contextmanager
    def still(self):
        """Give the screen, with the colours of its cells, which does not change meanwhile."""
        with self._lock:
            yield self.screen

    def wait_for(self, pattern, patience_s=PATIENCE_S):
        """Return the screen once it shows a pattern."""
        until = time.monotonic() + patience_s
        with self._lock:
            while True:
                while not re.search(pattern, shown := self.text, re.MULTILINE):
                    if not self._lock.wait(until - time.monotonic()):
                        raise AssertionError(f"never shown: {pattern}\n{shown}")
                if not self._lock.wait(REST_OF_FRAME_S) or time.monotonic() > until:
                    return shown

    def end(self, patience_s=PATIENCE_S):
        """Say that nothing follows, and wait for the process; return its status."""
        self.process.stdin.close()
        status = self.process.wait(patience_s)
        self._reader.join(PATIENCE_S)
        return status

    def close(self):
        """Leave nothing behind, whatever went wrong."""
        self.process.kill()
        self.process.stdin.close()
        self.process.wait()
        self._reader.join(PATIENCE_S)
        os.close(self._master)


def python(*words):
    return [sys.executable, *map(str, words)]
