"""How busy the workers were, by what the trials wrote down."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stay:
    """One trial on a worker."""

    worker: str
    began: float
    """Seconds since the epoch."""
    ended: float
    """Seconds since the epoch."""
    work_s: float
    """What it slept; the rest of its time it waited for the driver."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time, in seconds since the epoch."""

    began: float
    ended: float

    @property
    def length_s(self) -> float:
        """Return its length."""
        return self.ended - self.began


def steady_span(stays: Sequence[Stay]) -> Span:
    """Return the time in which every worker had trials: from the last one's first trial to the first one's last end."""
    workers = defaultdict(list)
    for stay in stays:
        workers[stay.worker].append(stay)
    began = max(min(stay.began for stay in own) for own in workers.values())
    return Span(began, min(max(stay.ended for stay in own) for own in workers.values()))


def busy_share(stays: Iterable[Stay], span: Span, n_workers: int) -> float:
    """Return the share of the workers' time that was work; a trial's work counts as spread over its stay."""
    worked = sum(stay.work_s * _overlap_s(stay, span) / (stay.ended - stay.began) for stay in stays)
    return worked / (n_workers * span.length_s)


def _overlap_s(stay: Stay, span: Span) -> float:
    return max(0.0, min(stay.ended, span.ended) - max(stay.began, span.began))
