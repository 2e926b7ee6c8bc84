"""Every error that a user can cause or meet, and its exit status.

PromotuneError
├── UserError            2  something that the user wrote: always where, what, what we got, what to do
│   ├── SpaceError          in a space file
│   ├── ConstantError       a name that the program does not hold, or holds twice, or cannot be promoted
│   ├── ApplyError          a value that cannot be written back into the source alone
│   ├── ProgramError        the program cannot be found, parsed or used
│   ├── OptionError         on the command line
│   ├── StorageError        a URL that cannot be reached, read or written
│   ├── ExperimentError     an experiment that is not there, or is in the way
│   ├── MetricError         a metric that the program never logs (only running it can tell)
│   ├── MutationError       a constant that cannot change while a trial trains (likewise)
│   └── UnreadOptionError   an option that the program does not take, or never reads (likewise)
└── SearchError          1  the search itself could not go on
    ├── StartError          Ray could not be started; nothing was searched
    ├── PreflightError      the baseline did not survive a batch or two
    └── PauseError          the search waits for `resume`; what was written is whole
        ├── NoRoomError         the disk is full
        ├── LostFolderError     the experiment's folder is gone, or cannot be written any more
        ├── RayLostError        a process of Ray's died
        └── UnsharedError       a node that came to the cluster does not see the experiment

Arguments are positional, so that an error survives a pickle between processes.
"""

import difflib
import itertools
import os
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

LONGEST_LIST = 500  # characters of names in a hint
EXIT_SEARCH = 1
EXIT_USER = 2
EXIT_INTERRUPTED = 130


class PromotuneError(Exception):
    """The root. ``where``: file:line or another place, or None; ``what``: rule and value; ``hint``: what to do."""

    exit_status = EXIT_SEARCH

    def __init__(self, where: str | None, what: str, hint: str | None = None) -> None:
        super().__init__(where, what, hint)
        self.where = where
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        first = f"{self.where}: {self.what}" if self.where else self.what
        return f"{first}\n  {self.hint}" if self.hint else first


class UserError(PromotuneError):
    """Something that the user wrote."""

    exit_status = EXIT_USER


class SpaceError(UserError):
    """A space file does not say what may vary."""


class ConstantError(UserError):
    """A name does not lead to one constant that can be promoted."""


class ApplyError(UserError):
    """A value cannot be written back without changing more than its literal."""


class ProgramError(UserError):
    """The program cannot be found, parsed or used."""


class OptionError(UserError):
    """The command line asks for what is not there."""


class StorageError(UserError):
    """A URL cannot be reached, read or written."""


class ExperimentError(UserError):
    """An experiment is not there, or is in the way."""


class SearchError(PromotuneError):
    """The search itself could not go on; a failed trial is data, not an error."""


class StartError(SearchError):
    """Ray could not be started; nothing was searched, and nothing is left."""


class PreflightError(SearchError):
    """The baseline did not survive a batch or two of training and validation."""


class PauseError(SearchError):
    """The search cannot go on as things are. What was written is whole, and ``resume`` goes on once it can."""


class NoRoomError(PauseError):
    """The experiment's disk is full."""


class LostFolderError(PauseError):
    """The experiment's folder is gone, or cannot be written any more."""


class RayLostError(PauseError):
    """A process of Ray's died, or Ray does not answer."""


class UnsharedError(PauseError):
    """A node of the cluster does not see the experiment's folder: what its trials wrote would be lost."""


class MetricError(UserError):
    """The metric is never logged. A user error that only running the program can find.

    ``logged``: the names of what is logged, where one of them may serve in its place.
    """

    def __init__(self, where: str | None, what: str, hint: str | None = None, logged: Iterable[str] = ()) -> None:
        super().__init__(where, what, hint)
        self.logged = tuple(logged)


class MutationError(UserError):
    """A constant cannot change while a trial trains. ``where`` is its name, until the space file's line is known."""


class UnreadOptionError(UserError):
    """The program does not take an option, or never reads it. ``where``: as of a MutationError."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest to ``wrong``, case folded first; else the only one that begins like it; or None.

    What Lightning or a program made of a name by a slash behind it is nearer than any other.
    """
    by_fold: dict[str, str] = {}
    for name in known:
        by_fold.setdefault(name.casefold(), name)
    below = [name for folded, name in by_fold.items() if folded.startswith(f"{wrong.casefold()}/")]
    if below:  # val_loss/dataloader_idx_0
        return below[0]
    near = difflib.get_close_matches(wrong.casefold(), by_fold, n=1)
    if near:
        return by_fold[near[0]]
    longer = [name for folded, name in by_fold.items() if wrong and folded.startswith(wrong.casefold())]
    return longer[0] if len(longer) == 1 else None


def suggest_name(wrong: str, known: Iterable[str], *, what: str = "known") -> str:
    """Return a hint: one near name, else the list, of a long one its beginning."""
    names = sorted(known)
    near = did_you_mean(wrong, names)
    return list_names(names, what=what) if near is None else f"Did you mean {near!r}?"


def list_names(known: Iterable[str], *, what: str = "known") -> str:
    """Return a hint that lists names, of a long list its beginning."""
    names = sorted(known)
    n_shown = bisect_right(list(itertools.accumulate(len(name) + 2 for name in names)), LONGEST_LIST)
    more = f", and {len(names) - n_shown} more" if n_shown < len(names) else ""
    return f"{what.capitalize()}: {', '.join(names[:n_shown]) or 'none'}{more}."


def relative_if_shorter(path: Path) -> str:
    """Return the path as the working directory sees it where that is shorter, else whole."""
    whole = str(path)
    return min(os.path.relpath(path), whole, key=len)


def file_and_line(path: Path, line: int | None) -> str:
    """Return ``file:line``, or the file where no line is meant."""
    return relative_if_shorter(path) if line is None else f"{relative_if_shorter(path)}:{line}"
