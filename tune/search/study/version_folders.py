"""Which folder each trial of a search has: ``007,LR=0.0032,BATCH_SIZE=64``. Names sort as the trials ran."""

import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tune.experiment.records import TrialRecord, read_record
from tune.experiment.trial_result import BASELINE
from tune.paths import ExperimentPaths, VersionPaths
from tune.space.dimensions import Value

if TYPE_CHECKING:  # Optuna takes a second to import
    from tune.search.study.study import SearchStudy

MAX_BYTES = 80
MAX_VALUE = 16  # characters of one value
N_DIGITS = 3  # of the trial's number; names of a thousand trials sort
FORBIDDEN = re.compile(r"[^\w.+\-=]|(?<=\.)\.+")  # all but letters, digits and a few signs
ENTRY = re.compile(r"""\[['"]?(.*?)['"]?\]""")


def version_name(number: int, values: Mapping[str, Value]) -> str:
    """Return a version's folder name; no values means the baseline. Constants that find no room are left out."""
    name = f"{number:0{N_DIGITS}d}"
    if not values:
        return f"{name},baseline"
    for key, value in values.items():
        part = f",{_replace_forbidden(_simplify_key(key))}={_replace_forbidden(_format_value(value))}"
        if len((name + part).encode()) <= MAX_BYTES:
            name += part
    return name.rstrip(". ")  # Windows drops these at the end


def _simplify_key(key: str) -> str:
    """Return a constant's name as it is read: ``CFG.opt.lr`` for ``CFG['opt']['lr']``, ``lr`` for ``--lr``."""
    return ENTRY.sub(r".\1", key).rstrip("=").lstrip("-")


def _format_value(value: Value) -> str:
    match value:
        case bool() | None:
            text = str(value)
        case float():
            text = f"{value:.3g}"
        case list() | tuple():
            text = "-".join(_format_value(item) for item in value)
        case _:
            text = str(value)
    return text[:MAX_VALUE]


def _replace_forbidden(text: str) -> str:
    return FORBIDDEN.sub("_", text)


class VersionFolders:
    """The versions of the trials that this driver leads; of earlier ones the ledger tells."""

    def __init__(self, paths: ExperimentPaths, ledger: "SearchStudy") -> None:
        self._paths = paths
        self._ledger = ledger
        self._led: dict[int, VersionPaths] = {}

    def __contains__(self, number: int) -> bool:
        """Tell whether this driver leads a trial, or has."""
        return number in self._led

    @property
    def trial_numbers(self) -> list[int]:
        """The trials that this driver leads or has led, in that order."""
        return list(self._led)

    def assign_folder(self, number: int) -> None:
        """Find the version of an open trial, or give it one.

        A ledger that lost its end does not know the folders of the trials that it lost: those stay as they are.
        """
        name = self._ledger.get_attributes(number).get("version")
        if name is None:
            wanted = version_name(number, {} if number == BASELINE else self._ledger.get_values(number))
            names = (wanted if count == 1 else f"{wanted}-{count}" for count in itertools.count(1))
            name = next(each for each in names if not self._paths.version(each).folder.exists())
            self._ledger.set_attributes(number, version=name)
        self._led[number] = self._paths.version(name)

    def get_version(self, number: int) -> VersionPaths:
        """Return the version of any trial."""
        return self._led.get(number) or self._paths.version(self._ledger.version_of(number) or str(number))

    @property
    def is_baseline_ready(self) -> bool:
        """Whether the baseline passed its pre-flight. Of one that ended the ledger tells: its record may be lost."""
        if BASELINE not in self:
            return self._ledger.version_of(BASELINE) is not None
        return self.baseline_record is not None and self.baseline_record.ready

    @property
    def baseline_record(self) -> TrialRecord | None:
        """What the baseline says of itself."""
        return self.read_trial_record(BASELINE)

    def read_trial_record(self, number: int) -> TrialRecord | None:
        """Return what a trial says of itself; None where it says nothing."""
        if number not in self._led and self._ledger.version_of(number) is None:
            return None
        return read_record(self.get_version(number))
