"""Names and folders of versions: ``007,LR=0.0032,BATCH_SIZE=64``. They sort as they ran.

Which folder each trial of a search has.

Names of versions: ``007,LR=0.0032,BATCH_SIZE=64``. They sort as they ran, and are legal on every file system.
"""

import re
from collections.abc import Mapping

from tune.experiment.records import Record, read_record
from tune.paths import ExperimentPaths, VersionPaths
from tune.search.study.study import BASELINE, Ledger
from tune.space.dimensions import Value

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
        part = f",{_legal(_plain(key))}={_legal(_short(value))}"
        if len((name + part).encode()) <= MAX_BYTES:
            name += part
    return name.rstrip(". ")  # Windows drops these at the end


def _plain(key: str) -> str:
    """Return a constant's name as it is read: ``CFG.opt.lr`` is shorter than ``CFG['opt']['lr']``, too."""
    return ENTRY.sub(r".\1", key).rstrip("=")


def _short(value: Value) -> str:
    match value:
        case bool() | None:
            text = str(value)
        case float():
            text = f"{value:.3g}"
        case list() | tuple():
            text = "-".join(_short(item) for item in value)
        case _:
            text = str(value)
    return text[:MAX_VALUE]


def _legal(text: str) -> str:
    return FORBIDDEN.sub("_", text)


class Versions:
    """The versions of the trials that this driver leads; of earlier ones the ledger tells."""

    def __init__(self, paths: ExperimentPaths, ledger: Ledger) -> None:
        self._paths = paths
        self._ledger = ledger
        self._led: dict[int, VersionPaths] = {}

    def __contains__(self, number: int) -> bool:
        """Tell whether this driver leads a trial, or has."""
        return number in self._led

    @property
    def numbers(self) -> list[int]:
        """The trials that this driver leads or has led, in that order."""
        return list(self._led)

    def lead(self, number: int) -> None:
        """Find the version of an open trial, or give it one."""
        held = self._ledger.noted(number).get("version")
        name = held or version_name(number, {} if number == BASELINE else self._ledger.values(number))
        if held is None:
            self._ledger.note(number, version=name)
        self._led[number] = self._paths.version(name)

    def of(self, number: int) -> VersionPaths:
        """Return the version of any trial."""
        return self._led.get(number) or self._paths.version(self._ledger.version_of(number) or str(number))

    def record(self, number: int) -> Record | None:
        """Return what a trial says of itself; None where it says nothing."""
        if number not in self._led and self._ledger.version_of(number) is None:
            return None
        return read_record(self.of(number))
