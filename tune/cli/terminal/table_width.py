"""What fits into the lines of a terminal: the width of a table, texts that are cut, and texts of several lines."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.cells import cell_len, set_cell_size

from tune.cli.terminal.streams import LONGEST_CELL, make_printable_line

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
