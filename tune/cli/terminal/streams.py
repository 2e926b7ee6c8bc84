"""Standard streams that are there, whatever the shell closed, and text that does nothing to a terminal."""

import os
import re
import sys
import unicodedata


def ensure_streams() -> None:
    """Open what was closed (``>&-``) on nothing, so that no file of ours takes the place of a standard stream."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


WRITTEN_OUT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what moves a cursor, turns or hides what follows, ends a line, or is half a character."""
JOINERS = "\u200c\u200d"
"""Of those, what stands within ordinary words of Persian, within Indic ones, and within emoji."""
STRAY_JOINER = re.compile(f"(?<![^\x00-\x7f{JOINERS}])[{JOINERS}]")
"""A joiner that joins nothing: behind an ASCII letter, or behind another joiner, it only makes two names look alike."""


class _Shown(dict[int, str]):
    """What is written for each character, by its code."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        is_kept = letter in f"\t\n{JOINERS}" or unicodedata.category(letter) not in WRITTEN_OUT
        return self.setdefault(code, letter if is_kept else _escape_letter(letter))


def _escape_letter(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


SHOWN = _Shown()


LONGEST_LINE = 2000  # characters; a key of megabytes would be a line of megabytes
LONGEST_CELL = 500  # characters of a table's cell: all cells of its column are as wide
MOST_LINES = 100  # of an error


def make_printable(text: str) -> str:
    """Return text, maybe somebody else's, so that it does nothing to a terminal: tab and newline alone act on one."""
    return STRAY_JOINER.sub(lambda found: _escape_letter(found[0]), text).translate(SHOWN)


def make_printable_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return the same for one line: a name with a newline in it makes no second one. Of a longer one its beginning."""
    line = make_printable(text[: longest + 1]).replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= longest else f"{line[:longest]}... ({len(text):,} characters)"


def print_error(text: str) -> None:
    """Write to standard error, if anybody hears it; of a text that goes on for ever its beginning."""
    lines = text.removesuffix("\n").split("\n")
    shown = [make_printable_line(line.expandtabs()) for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        shown.append(f"... ({len(lines) - MOST_LINES:,} lines more)")
    if sys.stderr is None:
        return
    try:
        sys.stderr.write("\n".join(shown) + "\n")
        sys.stderr.flush()
    except OSError:
        sys.stderr = None  # nor does Python's own flush at the end have to fail
