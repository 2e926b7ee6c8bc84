"""What a scheduler said to the trials of earlier drivers: it hears all again, and says the same."""

from collections.abc import Callable, Iterable

from tune.search.ledger.journal import Ended, Event, Opened, Reported, Sealed, Started
from tune.search.scheduling.rule import Move, Rule, Verdict


def replay(
    rule: Rule,
    history: Iterable[Event],
    standing: dict[int, Verdict],
    was_last: Callable[[int, int], bool],
    take_over: Callable[[Move], None],
) -> None:
    """Bring ``rule`` to where it was, and into ``standing`` what it said last to each trial in it.

    ``was_last`` tells of a trial and its epoch whether none was to follow: such a trial is not stopped any more.
    """
    for event in history:
        match event:
            case Opened(trial):
                rule.opened(trial)
            case Reported(trial, epoch, value):
                verdict = rule.judge(trial, epoch, value)
                if trial in standing and not was_last(trial, epoch):
                    standing[trial] = verdict
            case Ended(trial, failed):
                rule.ended(trial, failed=failed)
            case Sealed():
                rule.seal()
            case Started(n_epochs):
                rule.start_takes(n_epochs)
        for move in rule.moves():
            if standing.get(move.trial) is Verdict.PAUSE:
                take_over(move)
                standing[move.trial] = Verdict.GO_ON if move.goes_on else Verdict.STOP
