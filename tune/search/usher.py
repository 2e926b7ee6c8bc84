"""Carries out what the scheduler says: who stops, who waits, who takes over whose weights and goes on."""

from collections.abc import Iterable, Iterator

from tune.search.ledger.ledger import Ledger
from tune.search.scheduling.heirs import Heirs
from tune.search.scheduling.replay import replay
from tune.search.scheduling.rule import Move, Rule, Verdict
from tune.search.starts import Starts
from tune.search.turns import Turns
from tune.search.versions import Versions
from tune.trial.mail import Epoch


class Usher:
    """Stands between the scheduler, which only decides, and the trials."""

    def __init__(self, ledger: Ledger, rule: Rule, heirs: Heirs, versions: Versions) -> None:
        self._ledger = ledger
        self._rule = rule
        self._heirs = heirs
        self._versions = versions
        self._starts = Starts(ledger, rule)
        self._n_sealed = 0  # trials that there were when the scheduler heard that no further one comes
        self.turns = Turns()
        """Trials of an earlier driver, those whose process died, and those that the scheduler lets wait."""
        self.stopped: set[int] = set()
        """By the scheduler."""

    def recall(self) -> list[int]:
        """Let the scheduler hear what earlier drivers told it; return the open trials that it does not let wait."""
        standing = dict.fromkeys(self._versions.numbers, Verdict.GO_ON)
        replay(self._rule, self._ledger.history, standing, self._was_last, self._take_over)
        self.stopped |= {number for number, verdict in standing.items() if verdict is Verdict.STOP}
        for number in [number for number, verdict in standing.items() if verdict is Verdict.PAUSE]:
            self.turns.pause(number)
            self.rest(number)
        return [number for number, verdict in standing.items() if verdict is not Verdict.PAUSE]

    def _was_last(self, number: int, epoch: int) -> bool:
        return bool(self._ledger.noted(number).get("last_epoch") == epoch)

    def learn_length(self, n_whole: int | None, *, is_mean: bool) -> None:
        """Hear how many values a whole trial reports."""
        self._rule.learn_length(n_whole, is_mean=is_mean)

    def opened(self, number: int) -> None:
        """Hear of a new trial."""
        self._rule.opened(number)

    def judged_at(self, number: int) -> tuple[int, ...] | None:
        """Return the epochs at which the scheduler decides about a trial; None: any."""
        epochs = self._rule.judged_at(number)
        return None if epochs is None else tuple(epochs)

    def seal(self, n_asked: int) -> bool:
        """Hear that no further trial comes than those so many; tell whether that is news to the scheduler."""
        if self._n_sealed == n_asked:
            return False
        self._n_sealed = n_asked
        self._ledger.seal()
        self._rule.seal()
        return True

    def judge(self, number: int, epoch: Epoch, *, last: bool) -> None:
        """Ask the scheduler about a trial after an epoch; one that is through anyway is neither stopped nor waits."""
        self._starts.hear(number, epoch)
        verdict = self._rule.judge(number, epoch.epoch, epoch.value)
        if verdict is Verdict.STOP and not last:
            self.stopped.add(number)
        if verdict is Verdict.PAUSE and not last and number not in self.stopped:
            self.turns.pause(number)

    def rest(self, number: int) -> None:
        """Let a trial wait whose process has ended; a move may have come already."""
        self._ledger.rest(number)
        self.turns.freed(number)

    def revive(self, number: int, max_failures: int) -> bool:
        """Let a trial whose process died go on, unless it died too often; what dies as the search ends waits."""
        deaths = self._ledger.noted(number).get("deaths", 0) + 1
        self._ledger.note(number, deaths=deaths)
        if deaths > max_failures:
            return False
        self.turns.add(number)
        return True

    def busy(self, running: Iterable[int], closing: int) -> set[int]:
        """Return the trials whose checkpoints somebody needs: to go on with, or to take over."""
        going_on = {*running, *self.turns.all} - {closing}
        return going_on | {mutation["donor"] for each in going_on for mutation in self._ledger.mutations(each)[-1:]}

    def ended(self, number: int, *, failed: bool) -> None:
        """Is called when a trial has ended."""
        self._rule.ended(number, failed=failed)

    def moves(self) -> Iterator[int]:
        """Do with paused trials what the scheduler says; yield those that are to be closed.

        All takeovers come first: then the donors may go on.
        """
        moves = [move for move in self._rule.moves() if self.turns.pauses(move.trial)]  # one may be through anyway
        for move in moves:
            self._take_over(move)
        for move in moves:
            if not move.goes_on:
                self.stopped.add(move.trial)
            if self.turns.apply(move):
                self._ledger.wake(move.trial)
                yield move.trial

    def _take_over(self, move: Move) -> None:
        if move.donor is not None:
            self._heirs.take_over(move.trial, move.donor, self._versions.of)
