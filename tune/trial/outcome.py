"""How a trial ended, as the ledger tells it; the same for the terminal, the table and the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tune.errors import ExperimentError
from tune.paths import ExperimentPaths, short
from tune.space.dimensions import Value
from tune.trial.score import Mode, best_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FORMAT = 1
"""Of what we write into the study beside Optuna's own; a reader refuses a number that it does not know."""

State = Literal["complete", "pruned", "failed", "waiting", "running"]
STATES: dict[str, State] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "WAITING": "waiting",
    "RUNNING": "running",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One trial of the ledger."""

    number: int
    version: str
    """The version's folder name."""
    values: dict[str, Value]
    """The promoted constants."""
    state: State
    score: float | None
    """The metric in the best epoch; None when no finite value was reported."""
    best_epoch: int | None
    """Counts from 1."""
    curve: dict[int, float]
    """The metric by epoch."""
    reason: str | None
    """Why it failed."""
    repeat_of: int | None = None
    """The trial with the same configuration that this one was taken from; it has no version of its own then."""

    @property
    def is_baseline(self) -> bool:
        """Whether it ran the hardcoded values."""
        return self.number == 0

    @property
    def n_epochs(self) -> int:
        """Epochs that were reported."""
        return len(self.curve)


def check_format(found: object, paths: ExperimentPaths) -> None:
    """Raise ExperimentError unless we know the format of a ledger."""
    if found != FORMAT:
        what = f"the ledger's format is {found!r}, this version knows {FORMAT}"
        raise ExperimentError(short(paths.journal), what, "Use the version of Promotune that wrote it, or a newer one.")


def outcome_of(trial: "FrozenTrial", mode: Mode) -> Outcome:
    """Read one trial of a study."""
    best_epoch = best_of(trial.intermediate_values, mode)
    attributes = trial.user_attrs
    return Outcome(
        number=trial.number,
        version=attributes.get("version", str(trial.number)),
        values=attributes.get("constants", trial.params),
        state=STATES[trial.state.name],
        score=None if best_epoch is None else trial.intermediate_values[best_epoch],
        best_epoch=best_epoch,
        curve=dict(trial.intermediate_values),
        reason=attributes.get("reason"),
        repeat_of=attributes.get("repeat_of"),
    )


def ranked(outcomes: Sequence[Outcome], mode: Mode) -> list[Outcome]:
    """Return the trials with a score that did not fail, interrupted ones too, the best first; of equals the earlier."""
    scored = [outcome for outcome in outcomes if outcome.score is not None and outcome.state != "failed"]
    sign = -1 if mode == "max" else 1
    return sorted(scored, key=lambda outcome: (sign * (outcome.score or 0.0), outcome.number))
