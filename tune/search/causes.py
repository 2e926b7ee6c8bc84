"""When to give up: failures in a row with one cause, and no success between them."""

from tune.trial.outcome import Outcome
from tune.trial.record import INFINITE, NAN, Failure


class Causes:
    """Counts failures. A metric that is not finite counts neither for nor against: it says something of its values."""

    def __init__(self, give_up_after: int) -> None:
        self._most = give_up_after
        self._row: list[str] = []
        self.last_straw: Outcome | None = None
        """The failure that was one too many."""

    def succeeded(self) -> None:
        """Begin to count anew."""
        self._row.clear()

    def failed(self, failure: Failure, outcome: Outcome) -> None:
        """Count a failure."""
        if failure.is_a(NAN, INFINITE):
            return
        cause = f"{failure.kind} {failure.place or failure.message}"  # a message may name the values
        self._row = [*self._row, cause] if self._row[-1:] == [cause] else [cause]
        if len(self._row) >= self._most:
            self.last_straw = outcome
