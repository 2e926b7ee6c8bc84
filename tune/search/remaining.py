"""How long a search may still take. An estimate: trials are stopped early, and nobody knows which."""

from collections.abc import Sequence

WARM_UP_TRIALS = 3
"""Once 3 more trials have ended than run at a time, the first ones are ignored: they include the import of torch."""


def remaining_s(
    *, ended: Sequence[float], running: Sequence[tuple[float, float]], n_waiting: int, concurrency: int
) -> float | None:
    """Return seconds; None while nothing has shown how long a trial takes.

    ``ended`` are the durations of trials in the order of their ends, ``running`` each one's time so far and the share
    of its epochs that is done. All trials take as long as those before them did on average, whoever stopped them.
    """
    typical = _typical_s(ended, running, concurrency)
    if typical is None:
        return None
    rest = [_rest_s(spent, share, typical) for spent, share in running]
    work = sum(rest) + n_waiting * typical
    return max(work / max(1, concurrency), max(rest, default=0.0))


def _typical_s(ended: Sequence[float], running: Sequence[tuple[float, float]], concurrency: int) -> float | None:
    if ended:
        warm = ended[concurrency:] if len(ended) >= concurrency + WARM_UP_TRIALS else ended
        return sum(warm) / len(warm)
    whole = [spent / share for spent, share in running if share > 0]
    return sum(whole) / len(whole) if whole else None


def _rest_s(spent: float, share: float, typical: float) -> float:
    """Return what is left of one trial: not more than its epochs say, nor than others took, since it may be stopped."""
    rest = max(0.0, typical - spent)
    return min(rest, spent * (1 - share) / share) if share > 0 else rest
