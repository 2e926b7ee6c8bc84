"""Did a trial come out again? Its curve in the search against that of a retraining with the same seed."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RELATIVE, ABSOLUTE = 1e-5, 1e-7
"""How far two values of a curve may lie apart and count as the same: single precision, in another order of addition."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a curve may depend on, and that is not as it was."""

    what: str
    """``torch``, ``source``, ``seed``, ``trainer.max_epochs``..."""
    then: str
    """In the search."""
    now: str

    def __str__(self) -> str:
        if not self.then and not self.now:
            return self.what
        return f"{self.what}: {self.then or 'none'} then, {self.now or 'none'} now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """A curve against its repetition."""

    n_epochs: int
    """Epochs that both have; a trial that was stopped early has fewer."""
    first: int | None
    """The first epoch in which they differ; None: they are the same."""
    largest: float
    """The largest difference in an epoch; infinite where one of the values is not finite."""
    differences: tuple[Difference, ...]
    """What is not as it was in the search."""
    deterministic: bool | None = None
    """Whether the same again gave the same curve; None where that was not tried."""

    @property
    def reproduced(self) -> bool:
        """Whether there was something to compare, and it is the same."""
        return self.n_epochs > 0 and self.first is None

    @property
    def is_unexplained(self) -> bool:
        """Whether nothing that we know of is otherwise: then only the same again tells more."""
        return self.n_epochs > 0 and not self.reproduced and not self.differences

    @property
    def lines(self) -> list[str]:
        """What to tell people: the finding first."""
        if not self.n_epochs:
            return ["nothing to compare: the search has no epoch of it"]
        if self.reproduced:
            many = f"all {self.n_epochs} epochs" if self.n_epochs > 1 else "the one epoch"
            return [f"reproduced: the same curve in {many} that both have"]
        return [
            f"not reproduced: epoch {self.first} differs first, the largest difference is {self.largest:.3g}",
            *self._why,
        ]

    @property
    def _why(self) -> list[str]:
        if self.differences:
            return [f"what is otherwise: {each}" for each in self.differences]
        if self.deterministic is None:
            return ["nothing that is recorded is otherwise"]
        if self.deterministic:
            agree = "two runs now agree with each other: what is otherwise is not recorded"
            return [f"{agree}, such as data files or environment variables"]
        return ["the program is not deterministic: two runs with the same seed, one after the other, differ too"]


def compare(
    then: Mapping[int, float],
    now: Mapping[int, float],
    differences: Iterable[Difference] = (),
    again: Mapping[int, float] | None = None,
) -> Reproduction:
    """Compare what there is of two curves; ``again`` is the curve of one more run of the second kind."""
    epochs = sorted(then.keys() & now.keys())
    apart = [epoch for epoch in epochs if not _same(then[epoch], now[epoch])]
    return Reproduction(
        n_epochs=len(epochs),
        first=apart[0] if apart else None,
        largest=max((_distance(then[epoch], now[epoch]) for epoch in apart), default=0.0),
        differences=tuple(differences),
        deterministic=None if again is None else _equal(now, again),
    )


def of_mappings(then: Mapping[str, object], now: Mapping[str, object], prefix: str = "") -> list[Difference]:
    """Return what two descriptions do not say alike."""
    names = dict.fromkeys((*then, *now))
    return [
        Difference(f"{prefix}{name}", str(then.get(name, "")), str(now.get(name, "")))
        for name in names
        if then.get(name, "") != now.get(name, "")
    ]


def _equal(one: Mapping[int, float], other: Mapping[int, float]) -> bool:
    return one.keys() == other.keys() and all(_same(one[epoch], other[epoch]) for epoch in one)


def _same(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _distance(one: float, other: float) -> float:
    distance = abs(one - other)
    return distance if math.isfinite(distance) else math.inf
