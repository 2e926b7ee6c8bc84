"""Every path of an experiment and of its versions, in one place."""

import contextlib
import itertools
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tune.errors import ExperimentError

DEFAULT_STORAGE = Path("~/ray_results")
ILLEGAL = re.compile(r"[^\w.=,-]")
LEGAL_NAME = re.compile(r"[\w=,-][\w.=,-]{0,99}")


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
    def space(self) -> Path:
        """The space as run, everything resolved."""
        return self.folder / "space.yaml"

    @property
    def journal(self) -> Path:
        """The Optuna study: the ledger."""
        return self.folder / "study.journal"

    @property
    def source(self) -> Path:
        """The snapshot of the program."""
        return self.folder / "source"

    @property
    def lock(self) -> Path:
        """Held by the process that writes the experiment; the file itself says nothing."""
        return self.folder / ".lock"

    @property
    def holder(self) -> Path:
        """Who holds the lock, for people."""
        return self.folder / ".lock.holder"

    @property
    def retrain(self) -> Path:
        """Versions of retrained configurations."""
        return self.folder / "retrain"

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
    def best(self) -> Path:
        """The checkpoint of the best epoch."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint of the last epoch that was reported."""
        return self.checkpoints / "last.ckpt"

    @property
    def own(self) -> Path:
        """The trial's working directory, where it has one of its own."""
        return self.folder / "files"

    @property
    def record(self) -> Path:
        """What the trial says of itself."""
        return self.folder / "trial.json"

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
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def short(path: Path) -> str:
    """Return a path as people write it: with ``~`` for the home folder."""
    try:
        return str("~" / path.relative_to(Path.home()))
    except ValueError:
        return str(path)


def claim_experiment(storage: Path, name: str, *, numbered: bool) -> ExperimentPaths:
    """Make a new experiment's folder, and never take one that exists: ``lr_bs``, ``lr_bs-2``, ``lr_bs-3``...

    What no file system takes everywhere becomes ``_``: ``my space`` is ``my_space``.

    Raises ExperimentError when the name is taken and ``numbered`` is False, or when the folder cannot be made.
    """
    name = ILLEGAL.sub("_", name).lstrip(".") or "search"
    for number in itertools.count(1):
        folder = storage / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError as error:
            if not numbered:
                raise ExperimentError(
                    short(folder), "there is an experiment of this name", "Give another --name, or none."
                ) from error
        except OSError as error:
            raise ExperimentError(
                short(folder), f"the folder cannot be made: {error.strerror}", "Give another --storage."
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
