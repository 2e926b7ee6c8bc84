"""Which folder each trial of a search has."""

import itertools

from tune.experiment.records import TrialRecord, read_record
from tune.paths import ExperimentPaths, VersionPaths
from tune.search.study.study import BASELINE, SearchStudy
from tune.search.versions import version_name


class VersionFolders:
    """The versions of the trials that this driver leads; of earlier ones the ledger tells."""

    def __init__(self, paths: ExperimentPaths, ledger: SearchStudy) -> None:
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
