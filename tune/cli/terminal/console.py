"""The process's standard output: what it can show, in which colours, and what fits into a line."""

import errno
import io
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console

from tune.cli.terminal.streams import LONGEST_CELL, make_printable_line
from tune.experiment.trial_result import State

WIDEST = 10_000  # characters in a line of a file; rich would cut tables at 80
GONE = frozenset({errno.EPIPE, errno.EIO})
"""What a write says where the reader, or the terminal, is no more."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What it says where the disk of a file is full."""
PLAIN_LOCALES = frozenset({"C", "POSIX"})


class _Output(io.FileIO):
    """Goes on without a reader: a search does not end because ``head`` has seen enough, or a terminal was closed.

    Nor does it where the disk of a file is full: that is said at the end.
    """

    is_cut = False
    """Whether there was no room for some of what was written."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno in FULL:
                _Output.is_cut = True
                return len(memoryview(data))  # type: ignore[arg-type]
            if error.errno not in GONE:
                raise
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())
            os.close(nothing)
            return len(memoryview(data))  # type: ignore[arg-type]


def pop_is_cut() -> bool:
    """Tell whether standard output had no room for some of what was written to it since this was asked last."""
    was_cut, _Output.is_cut = _Output.is_cut, False
    return was_cut


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


GAP = 3
"""Cells between two columns."""
DOTS = "..."
LEAST = 8
"""Cells that a text keeps."""
END = 4
"""Letters at the end of a name that is cut: ``-2`` tells an experiment from the one before."""


@dataclass(frozen=True, eq=False)
class TableColumn:
    """A column of a table."""

    name: str
    """Its heading."""
    cells: Sequence[str]
    """One for each row."""

    @cached_property
    def width(self) -> int:
        """Cells of a line that it takes."""
        return max(cell_len(make_printable_line(text, LONGEST_CELL)) for text in (self.name, *self.cells))


def measure_table(columns: Iterable[TableColumn]) -> int:
    """Return the cells that a table takes in a line."""
    return sum(column.width + GAP for column in columns) - GAP


def align_cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return a row of a table as a line, without blanks at its end; widths are in cells of the terminal."""
    gaps = (" " * (width - cell_len(cell) + GAP) for cell, width in zip(cells, widths, strict=True))
    return "".join(f"{cell}{gap}" for cell, gap in zip(cells, gaps, strict=True)).rstrip()


def cut_end(text: str, room: int) -> str:
    """Return a text without its end where the text is longer than the room."""
    room = max(LEAST, room)
    return text if cell_len(text) <= room else f"{set_cell_size(text, room - len(DOTS)).rstrip()}{DOTS}"


def cut_middle(name: str, room: int) -> str:
    """Return a name without its middle where the name is longer than the room."""
    room = max(LEAST, room)
    if cell_len(name) <= room:
        return name
    return f"{set_cell_size(name, room - len(DOTS) - cell_len(name[-END:])).rstrip()}{DOTS}{name[-END:]}"


def describe_left_out(columns: Sequence[str], option: str, width: int) -> str:
    """Return the line below a table that lacks columns; ``option``: what prints them all."""
    what = f"more columns need a wider terminal, or {option}"
    in_part = (f"{', '.join(columns[:n])}, and {len(columns) - n} more" for n in range(len(columns) - 1, 0, -1))
    lines = (f"{what}: {names}" for names in (", ".join(columns), *in_part))
    return next((line for line in lines if cell_len(line) <= width), what)


UNBROKEN = re.compile(r"`[^`]*`\S*|\S+")
"""What stays in one line: a word, and what is to be copied."""
INDENT = "  "
"""Before the further lines of a text that takes several."""


def wrap_words(text: str, width: int) -> list[str]:
    """Return a text as lines of at most ``width`` cells; a word, or what stands in backticks, may be longer."""
    lines = [text[: len(text) - len(text.lstrip())]]
    indent = f"{lines[0]}{INDENT}"
    for word in UNBROKEN.findall(text):
        line = f"{lines[-1]} {word}" if lines[-1].strip() else f"{lines[-1]}{word}"
        if cell_len(line) <= width or not lines[-1].strip():
            lines[-1] = line
        else:
            lines.append(f"{indent}{word}")
    return lines
