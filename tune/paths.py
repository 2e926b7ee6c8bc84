"""Every path of an experiment and of its versions, in one place."""

import contextlib
import errno
import itertools
import json
import os
import re
import secrets
import shlex
import stat
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tune.atomic_files import named_errors
from tune.errors import ExperimentError, ProgramError, did_you_mean
from tune.storage_url import default_storage, url_of

ILLEGAL = re.compile(r"[^\w.=,-]")
LEGAL_NAME = re.compile(r"[\w=,][\w.=,-]{0,99}")
MOST_BYTES = 2**26
"""Of a file beside the ledger; the record of a trial of a million epochs has half of it."""
LEDGER_HEAD = 2**14
"""Bytes that hold a ledger's first two records."""


@dataclass(frozen=True, slots=True)
class ExperimentPaths:
    """One search: a folder ``<storage>/<name>``."""

    folder: Path
    """Absolute."""

    @property
    def name(self) -> str:
        """The experiment's name, and its study's."""
        return self.folder.name

    @property
    def cli_argument(self) -> str:
        """What a command takes for it, wherever it is typed: the name, outside of the default storage the folder."""
        return self.name if self.folder.parent == default_storage() else shell_word(self.folder)

    @property
    def space(self) -> Path:
        """The space as run, everything resolved."""
        return self._newest_file("space.yaml")

    @property
    def journal(self) -> Path:
        """The Optuna study: the ledger."""
        return self._newest_file("study.journal")

    @property
    def is_there(self) -> bool:
        """Whether a search was begun here; a driver that was killed as it began left no ledger, or no space."""
        return any(each.is_file() for each in (self.journal, self.space, self.lock))

    @property
    def has_ledger(self) -> bool:
        """Whether a search made its ledger: the second of its records says its format."""
        if not self.journal.is_file():
            return False
        with self.journal.open("rb") as file:
            return file.read(LEDGER_HEAD).count(b"\n") > 1

    @property
    def pending_edit(self) -> Path:
        """Files that take the place of the experiment's own: there only while it goes over to an edited space."""
        return self.folder / ".switched"

    def files_before_edit(self, number: int) -> tuple[Path, Path]:
        """Return the space and the study as they were before the so-manieth edited space, counted from 1."""
        return self.folder / f"space-{number}.yaml", self.folder / f"study-{number}.journal"

    @property
    def earlier_spaces(self) -> list[Path]:
        """The spaces before the edited ones, the first first."""
        return [
            space for number in range(1, self.n_earlier + 1) if (space := self.files_before_edit(number)[0]).is_file()
        ]

    @property
    def n_earlier(self) -> int:
        """How many edited spaces the search went over to."""
        return sum(1 for _ in self.folder.glob("study-*.journal"))

    @property
    def source(self) -> Path:
        """The snapshot of the program."""
        return self.folder / "source"

    @property
    def report(self) -> Path:
        """The report: one file to look at or to send."""
        return self.folder / "report.html"

    @property
    def lock(self) -> Path:
        """Held by the process that writes the experiment; the file itself says nothing."""
        return self.folder / ".lock"

    @property
    def lock_holder(self) -> Path:
        """Who holds the lock, for people."""
        return self.folder / ".lock.holder"

    @property
    def environment_file(self) -> Path:
        """What the trials ran on."""
        return self.folder / "surroundings.json"

    @property
    def requests(self) -> Path:
        """What other processes of the user ask of the driver: see ``tune.experiment.requests``."""
        return self.folder / ".requests"

    @property
    def disk_reserve(self) -> Path:
        """Room that a running search keeps for its last records."""
        return self.folder / ".reserve"

    @property
    def applied_values(self) -> Path:
        """The values that `apply` has written into the source."""
        return self.folder / "applied.json"

    @property
    def applied_lock(self) -> Path:
        """Held by an `apply` while it writes that file."""
        return self.folder / ".applied.lock"

    @property
    def verdicts(self) -> Path:
        """Which trials were compared with the hardcoded values, and with which seeds."""
        return self.folder / "verdicts.json"

    @property
    def verdicts_lock(self) -> Path:
        """Held while a verdict of any experiment of the storage gets its number."""
        return self.folder.parent / ".verdicts.lock"

    @property
    def retrain_folder(self) -> Path:
        """Versions of retrained configurations."""
        return self.folder / "retrain"

    def _newest_file(self, name: str) -> Path:
        """Whoever reads while files are being moved to their places sees all of them new."""
        moving = self.pending_edit / name
        return moving if moving.exists() else self.folder / name

    def version(self, name: str) -> "VersionPaths":
        """One trial's folder."""
        return VersionPaths(self.folder / name)


@dataclass(frozen=True, slots=True)
class VersionPaths:
    """One trial: a folder in TensorBoard's and the article's sense."""

    folder: Path

    @property
    def hparams(self) -> Path:
        """The promoted and the hardcoded constants."""
        return self.folder / "hparams.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint of the best epoch."""
        return self.checkpoints / "best.ckpt"

    @property
    def last_checkpoint(self) -> Path:
        """The checkpoint of the last epoch that was reported."""
        return self.checkpoints / "last.ckpt"

    def fit_checkpoint(self, number: int) -> Path:
        """Return the checkpoint of the best epoch of one fit of several, kept until it is evaluated."""
        return self.checkpoints / f"fit-{number}.ckpt"

    def donor_checkpoint(self, epoch: int) -> Path:
        """Return the checkpoint after an epoch, kept while another trial may go on from it."""
        return self.checkpoints / f"after-{epoch}.ckpt"

    @property
    def program_checkpoints(self) -> Path:
        """The folder of those that the program writes itself."""
        return self.checkpoints / "program"

    @property
    def freed_note(self) -> Path:
        """Stands in the place of checkpoints that made room for better ones, and says how to train the trial again."""
        return self.checkpoints / "freed.txt"

    @property
    def working_folder(self) -> Path:
        """The trial's working directory, where it has one of its own."""
        return self.folder / "files"

    def working_folder_of_seed(self, number: int) -> Path:
        """Return the working directory with a further seed of `seeds_per_trial`, from 1."""
        return self.working_folder / f"seed_{number}"

    @property
    def record(self) -> Path:
        """What the trial says of itself."""
        return self.folder / "trial.json"

    @property
    def retrain_request(self) -> Path:
        """Of a retrained configuration: what was asked for."""
        return self.folder / "retrain.json"

    @property
    def tracked_runs(self) -> Path:
        """The runs that it has in trackers, where the program logs to one."""
        return self.folder / "trackers.json"

    @property
    def log(self) -> Path:
        """Everything that was printed, warned and logged while the trial ran."""
        return self.folder / "log.txt"

    @property
    def error(self) -> Path:
        """The traceback, if it failed."""
        return self.folder / "error.txt"


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write; it takes the name on success, and a reader sees the old file or the new."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with named_errors(path):
        try:
            yield aside
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def read_regular(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return what a file holds; raise OSError where it is none, or holds more than that.

    Nobody may ever write to a FIFO that lies there, and a file that somebody else wrote may be as large as the disk.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        raw = file.read(most_bytes + 1)
    if len(raw) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes} bytes", str(path))
    return raw


def read_json(raw: bytes, **options: Any) -> Any:
    """Return what JSON says that anybody may have written; raise ValueError at whatever is wrong with it.

    So it does where ``json`` raises others, or nothing: nested too deep, a number that no float can be. Text may hold
    what is no Unicode, for a program's error may.
    """
    try:
        found = json.loads(raw.decode("utf-8"), **options)
        _check_numbers(found)
    except (RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from error
    return found


def _check_numbers(value: Any) -> None:
    """Raise OverflowError at an int that is no float."""
    match value:
        case int():
            float(value)
        case list():
            for item in value:
                _check_numbers(item)
        case dict():
            for item in value.values():
                _check_numbers(item)


def display_path(path: Path) -> str:
    """Return a path as people write it: with ``~`` for the home folder, and what is a copy by its URL."""
    if (url := url_of(path)) is not None:
        return url
    try:
        return str("~" / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):  # RuntimeError: nobody knows of a home folder
        return str(path)


def shell_word(path: Path) -> str:
    """Return a path as one word of a command line."""
    text = display_path(path)
    return (
        text
        if shlex.quote(text.removeprefix("~")) == text.removeprefix("~")
        else shlex.quote(text if url_of(path) else str(path))
    )


def claim_experiment(
    storage: Path,
    name: str,
    *,
    numbered: bool,
    taken: Container[str] = (),
    on_exists: Callable[[ExperimentPaths], str | None] = lambda paths: None,
) -> ExperimentPaths:
    """Make a new experiment's folder, and never take one that exists: ``lr_bs``, ``lr_bs-2``, ``lr_bs-3``...

    Names that are ``taken`` at the storage's URL count too. What no file system takes everywhere becomes ``_``.
    ``on_exists`` is called with an experiment that has the name, may remove it, and returns why; None: it stays.
    Raises ExperimentError when the name is taken and ``numbered`` is False, or when the folder cannot be made.
    """
    name = ILLEGAL.sub("_", name).lstrip(".-") or "search"
    for number in itertools.count(1):
        folder = storage / (name if number == 1 else f"{name}-{number}")
        try:
            is_there = folder.name in taken or folder.exists()
            if is_there and on_exists(ExperimentPaths(folder)) is None:
                raise FileExistsError
            folder.mkdir(parents=True)
        except FileExistsError as error:
            if not numbered:
                raise ExperimentError(
                    display_path(folder), "there is an experiment of this name", "Give another --name, or none."
                ) from error
        except OSError as error:
            raise ExperimentError(
                display_path(folder), f"the folder cannot be made: {error.strerror}", "Give another --storage."
            ) from error
        else:
            return ExperimentPaths(folder)
    raise AssertionError("numbers do not end")


def check_name(name: str) -> str:
    """Return an experiment's name; raise ExperimentError where it would leave the storage or is illegal somewhere."""
    if LEGAL_NAME.fullmatch(name):
        return name
    raise ExperimentError(
        "--name", f"a name is letters, digits, '.', '_', '-', '=' and ',', got {name!r}", "Give it another name."
    )


def find_program_file(path: Path) -> Path:
    """Return the file of a program, absolute; raise ProgramError when there is no such file."""
    given, path = path, Path(os.path.expanduser(path)).absolute()  # noqa: PTH111  Path.expanduser raises on `~nobody`
    if not path.is_file():
        there = [each.stem for each in path.parent.glob("*.py")] if path.suffix == ".py" else []
        near = did_you_mean(path.stem, there)
        hint = f"Did you mean {str(given.with_name(f'{near}.py'))!r}?" if near else "Give the path of a Python file."
        raise ProgramError(None, f"no program at {path}", hint)
    if path.suffix != ".py":
        raise ProgramError(None, f"a program is a .py file, got {path}", "Give the path of a Python file.")
    return path.resolve()
