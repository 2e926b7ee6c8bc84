"""Standard streams that are there, whatever the shell closed, and text that does nothing to a terminal."""

import os
import sys


def ensure_streams() -> None:
    """Open what was closed (``>&-``) on nothing, so that no file of ours takes the place of a standard stream."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


CONTROLS = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if code not in (0x09, 0x0A)
}
"""Characters, but tab and newline, that move a terminal's cursor, change what was written, or turn what follows."""


LONGEST_LINE = 2000
"""Characters of what is refused: a key of megabytes would be an error of megabytes."""


def printable(text: str) -> str:
    """Return text with its control characters written out: it may be somebody else's, out of an experiment's files."""
    return text.translate(CONTROLS)


def complain(text: str) -> None:
    """Write to standard error, if anybody hears it; of a line that goes on for ever its beginning."""
    text = "".join(_shortened(line) for line in printable(text).splitlines(keepends=True))
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        sys.stderr = None  # nor does Python's own flush at the end have to fail


def _shortened(line: str) -> str:
    text = line.rstrip("\n")
    if len(text) <= LONGEST_LINE:
        return line
    return f"{text[:LONGEST_LINE]}... ({len(text):,} characters)\n"
