"""The process's own standard output: what it can show, in which colours, and what becomes of it when nobody reads."""

import errno
import io
import os
import sys
from typing import TextIO

from rich.console import Console

from tune.experiment.trial_result import State

WIDEST = 10_000  # characters in a line of a file; rich would cut tables at 80
GONE = frozenset({errno.EPIPE, errno.EIO})
"""What a write says where the reader, or the terminal, is no more."""
PLAIN_LOCALES = frozenset({"C", "POSIX"})


class _Output(io.FileIO):
    """Goes on without a reader: a search does not end because ``head`` has seen enough, or a terminal was closed."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno not in GONE:
                raise
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())
            os.close(nothing)
            return len(memoryview(data))  # type: ignore[arg-type]


class OutputConsole(Console):
    """Rich's, with signs that the locale can show. It reads no text as markup, and no ``:name:`` as an emoji."""

    @property
    def encoding(self) -> str:
        """What rich draws bars and boxes for; text itself is written as UTF-8 wherever Python would."""
        return "ascii" if is_plain() else super().encoding


def open_output() -> TextIO:
    """Return a second handle of standard output: it stays the user's while a search sends the first to a log."""
    descriptor = 1 if sys.stdout is None else sys.stdout.fileno()
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(_Output(os.dup(descriptor), "w")), encoding=encoding, errors="replace")


def open_console(file: TextIO) -> OutputConsole:
    """Return rich's console on it; in a file its lines are as long as they are."""
    width = None if file.isatty() else WIDEST
    return OutputConsole(file=file, width=width, highlight=False, soft_wrap=True, markup=False, emoji=False)


def is_plain() -> bool:
    """Tell whether the locale asks for ASCII. Python itself takes UTF-8 for C, and says so in LC_CTYPE (PEP 538)."""
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if names[0] == "" and names[1] == "C.UTF-8":  # what Python wrote there itself, as far as one can tell
        names[1] = ""
    asked = next((name for name in names if name), "")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return asked in PLAIN_LOCALES or not encoding.lower().startswith("utf")


STYLES: dict[State, str] = {
    "complete": "green",
    "pruned": "dim",
    "failed": "red",
    "waiting": "yellow",
    "running": "blue",
}
