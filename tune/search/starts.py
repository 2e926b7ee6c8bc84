"""What a trial takes beside its epochs: measured while a search runs, and told to its scheduler once."""

import statistics

from tune.search.ledger.ledger import Ledger
from tune.search.scheduling.rule import Rule

N_MEASURED = 3
"""Trials whose median counts."""


class Starts:
    """One for a search. The ledger keeps what was told, so that a search that goes on judges as before."""

    def __init__(self, ledger: Ledger, rule: Rule) -> None:
        self._ledger = ledger
        self._rule = rule
        self._measured: dict[int, float] = {}  # epochs, by trial
        self._told = ledger.start is not None
        if ledger.start is not None:
            rule.start_takes(ledger.start)

    def hear(self, number: int, start: float | None) -> None:
        """Hear what a trial's epoch says of that; None: nothing."""
        if self._told or start is None:
            return
        self._measured[number] = start
        if len(self._measured) == N_MEASURED:
            median = statistics.median(self._measured.values())
            self._ledger.note_start(median)
            self._rule.start_takes(median)
            self._told = True
