"""Standard streams that are there, whatever the shell closed."""

import os
import sys


def ensure_streams() -> None:
    """Open what was closed (``>&-``) on nothing, so that no file of ours takes the place of a standard stream."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def complain(text: str) -> None:
    """Write to standard error, if anybody hears it."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        sys.stderr = None  # nor does Python's own flush at the end have to fail
