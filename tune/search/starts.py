"""What a trial takes beside its epochs: measured by each driver, and told to the scheduler once."""

import statistics

from tune.search.ledger.ledger import Ledger
from tune.search.scheduling.rule import Rule
from tune.trial.mail import Epoch

N_MEASURED = 5
"""Trials whose median counts, none of them the first of its actor."""


class Starts:
    """One for a driver. The ledger keeps when what was told, so that a search that goes on repeats it there."""

    def __init__(self, ledger: Ledger, rule: Rule) -> None:
        self._ledger = ledger
        self._rule = rule
        self._first: dict[int, tuple[int, float]] = {}  # by trial: which epoch it reported first, and when that ended
        self._gaps: dict[int, float] = {}  # by trial: seconds from the last epoch of the actor's trial before to that
        self._epoch_s: dict[int, float] = {}  # seconds of an epoch after that, by trial
        self._told = False

    def hear(self, number: int, epoch: Epoch) -> None:
        """Hear when an epoch ended."""
        if self._told or epoch.at is None:
            return
        first, at = self._first.setdefault(number, (epoch.epoch, epoch.at))
        if epoch.epoch > first:
            self._epoch_s[number] = (epoch.at - at) / (epoch.epoch - first)
        elif epoch.before is not None:
            self._gaps[number] = epoch.at - epoch.before
        if len(self._gaps) >= N_MEASURED and self._epoch_s:
            self._tell()

    def _tell(self) -> None:
        """Tell what is left of the gaps without the epochs in them: an epoch takes what the trial's later ones do."""
        usual_s = statistics.median(self._epoch_s.values())
        if usual_s <= 0:
            return
        starts = [
            gap / (self._epoch_s.get(number) or usual_s) - self._first[number][0] for number, gap in self._gaps.items()
        ]
        start = max(statistics.median(starts), 0.0)
        self._ledger.notes.start_takes(start)
        self._rule.start_takes(start)
        self._told = True
