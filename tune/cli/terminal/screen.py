"""The terminal: what is printed on it, as which words, and as how wide a table."""

import json
import sys
import threading
import weakref
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from tune.cli.terminal.console import GAP, align_cells, open_console, open_output, wrap_words
from tune.cli.terminal.streams import LONGEST_CELL, make_printable, make_printable_line

LONGEST_REASON = 200  # characters of why a trial failed


class Screen:
    """A console on the process's own standard output, which stays the user's while a search runs."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._file = open_output()
        weakref.finalize(self, self._file.close)
        self.console = open_console(self._file)
        self.is_quiet = quiet
        """Whether only results are shown."""
        self.lock = threading.RLock()
        """Held while something is drawn: a live view has a thread of its own."""

    @property
    def is_terminal(self) -> bool:
        """Whether somebody looks at it, in lines of a certain width; colours may be wanted elsewhere too."""
        return self._file.isatty()

    @property
    def can_redraw(self) -> bool:
        """Whether the cursor can be moved back."""
        return self.is_terminal and not self.console.is_dumb_terminal

    @property
    def shows_live_view(self) -> bool:
        """Whether a search that runs is drawn; elsewhere each trial has its line."""
        return self.can_redraw and not self.is_quiet

    @property
    def width(self) -> int:
        """Characters in a line of the terminal."""
        return self.console.width

    def print_line(self, text: str = "", style: str | None = None) -> None:
        """Print one line; nothing in it is markup."""
        if not self.is_quiet:
            self.print_result(text, style)

    def print_result(self, text: str, style: str | None = None) -> None:
        """Print a line that even the quiet want to see."""
        with self.lock:
            self.console.print(Text(make_printable_line(text), style=style or ""))

    def print_prose(self, text: str, style: str | None = None, *, is_result: bool = False) -> None:
        """Print sentences; on a terminal no line breaks within a word, or within what stands in backticks.

        ``is_result``: even the quiet want to see them.
        """
        for line in wrap_words(make_printable_line(text), self.width) if self.is_terminal else [text]:
            (self.print_result if is_result else self.print_line)(line, style)

    def ask_yes_no(self, question: str) -> bool:
        """Ask the user, and return whether the answer is yes; the Enter key alone is a yes, an end of input is none."""
        self._file.write(question)
        self._file.flush()
        answer = sys.stdin.readline()
        return bool(answer) and answer.strip().casefold() in ("", "y", "yes")

    def print_lines(self, lines: Iterable[str]) -> None:
        """Print many lines without a style: rich takes a third of a millisecond for each."""
        self._file.write("".join(f"{make_printable_line(line)}\n" for line in lines))
        self._file.flush()

    def print_bytes(self, text: bytes) -> None:
        """Write bytes as they are; to a terminal as text without control characters."""
        if self.is_terminal:
            text = make_printable(text.decode(errors="replace").replace("\r\n", "\n")).encode()
        self._file.buffer.write(text)
        self._file.flush()

    def print_json(self, found: object) -> None:
        """Write what machines read."""
        text = json.dumps(found, indent=2, allow_nan=False).replace(
            "\x7f", "\\u007f"
        )  # the one control that JSON leaves
        self.print_bytes(f"{text}\n".encode())

    def print_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table as wide as its cells; on a narrow terminal all but the first column go on in the next line."""
        if self.is_quiet:
            return
        columns, *rows = ([make_printable_line(cell, LONGEST_CELL) for cell in row] for row in (columns, *rows))
        widths = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
        if not self.console.is_terminal:
            self.print_lines(align_cells(row, widths) for row in (columns, *rows))
            return
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for place, (column, width) in enumerate(zip(columns, widths, strict=True)):
            table.add_column(column, no_wrap=place == 0, min_width=width if place == 0 else None, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        with self.lock:
            self.console.print(table, crop=False)


def format_value(value: object) -> str:
    """Return a value as people read it; a float in no more digits than it needs for that."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def format_trial_count(number: int) -> str:
    """Return a number of trials: ``1 trial``, ``20 trials``."""
    return f"{number} trial{'s' if number != 1 else ''}"


def one_line(text: str) -> str:
    """Return what a program said, fit for a line: no control characters, and not too long."""
    plain = Text.from_ansi(" ".join(text.splitlines())).plain  # a colour is more than its first, unprintable letter
    clean = "".join(letter if letter.isprintable() else " " for letter in plain)
    words = " ".join(clean.split())
    return words if len(words) <= LONGEST_REASON else f"{words[: LONGEST_REASON - 3]}..."
