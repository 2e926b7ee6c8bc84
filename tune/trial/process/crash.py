"""Where a process died that raised nothing: the stack that it wrote to its standard error.

``faulthandler`` writes one where a signal ends the process. ``note_exits`` has ``os._exit`` write one in the same form.
"""

import contextlib
import faulthandler
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from tune.promotion.folders import FOREIGN_FOLDERS, STANDARD_LIBRARY

EXITED = "Fatal Python error: os._exit was called"
STACK = re.compile(
    r"^Fatal Python error: (?:(?!Fatal Python error: ).*\n)*?(?:Current thread .*|Stack )\(most recent call first\):\n"
    r"(?P<frames>(?:  File .*\n)+)",
    re.MULTILINE,
)
"""Other threads may be listed before the one that died."""
FRAME = re.compile(r'  File "(?P<file>[^<].*)", line (?P<line>\d+)')
OWN_PACKAGE = Path(__file__).parents[2]
MAX_BYTES = 2**20
"""Of the end of a log, which are read."""

Place = tuple[Path, int]
"""A file, and a line of it."""


def note_exits() -> None:
    """Write the stack where the program or a package calls ``os._exit``, in this process and in those it forks."""
    leave = os._exit

    def leave_noted(status: int) -> NoReturn:
        caller = Path(sys._getframe(1).f_code.co_filename)  # noqa: SLF001 - who calls decides
        if not is_ours(caller):
            with contextlib.suppress(Exception):  # the program may have closed the stream
                sys.stderr.flush()
                os.write(2, f"{EXITED}\n".encode())
                faulthandler.dump_traceback(2, all_threads=False)
        leave(status)

    os._exit = leave_noted


def crash_places(log: Path, start: int = 0) -> list[Place]:
    """Return the lines of the last stack in a log, the innermost first, without ours and the standard library's.

    ``start``: where the log of the process begins, in bytes.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - MAX_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    stacks = [each["frames"] for each in STACK.finditer(text)]
    places = [(Path(each["file"]), int(each["line"])) for each in FRAME.finditer(stacks[-1] if stacks else "")]
    return [place for place in places if not is_ours(place[0])]


def is_ours(file: Path) -> bool:
    """Tell whether a file is Promotune's or of the standard library."""
    is_standard = file.is_relative_to(STANDARD_LIBRARY) and FOREIGN_FOLDERS.isdisjoint(file.parts)
    return file.is_relative_to(OWN_PACKAGE) or is_standard
