"""How a trial ended and what it is worth: the same for the terminal, the tables and the report."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tune.errors import ExperimentError
from tune.experiment.gpu_records import GpuUsage, read_gpu_usage
from tune.experiment.proposal_note import PROPOSED, ProposalNote, read_proposal
from tune.paths import ExperimentPaths, display_path
from tune.space.dimensions import Value

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


Mode = Literal["min", "max"]


def is_improvement(mode: Mode, value: float, than: float | None) -> bool:
    """Tell whether a value beats another. What is not finite beats nothing; anything finite beats None."""
    if not math.isfinite(value):
        return False
    if than is None:
        return True
    return value > than if mode == "max" else value < than


def find_best_epoch(curve: dict[int, float], mode: Mode) -> int | None:
    """Return the epoch with the best value, the first of equals; None when no value is finite."""
    best: int | None = None
    for epoch, value in curve.items():
        if is_improvement(mode, value, None if best is None else curve[best]):
            best = epoch
    return best


def find_score_epoch(curve: dict[int, float], mode: Mode, n_fits: int | None) -> int | None:
    """Return the epoch whose value is the score; ``n_fits``: how many the values are running means of, None: none are.

    None when there is no finite one.
    """
    if n_fits is None:
        return find_best_epoch(curve, mode)
    last = max(curve, default=None)
    return last if last is not None and math.isfinite(curve[last]) else None


def score_of_fit(curve: Mapping[int, float], mode: Mode) -> float | None:
    """Return the value of a fit's best epoch; None where none is finite."""
    epoch = find_best_epoch(dict(curve), mode)
    return None if epoch is None else curve[epoch]


FORMAT = 1
"""Of what we write into the study beside Optuna's own; a reader refuses a number that it does not know."""

LEFT_OUT = "left_out"
"""The attribute of a trial that an edited space left out: why, and how it had ended. No other trial has it."""
SEALED = "sealed"
"""The study's attribute that says after how many trials no further one was to come."""

SETTINGS = "settings"
"""The study's attribute that holds the settings as the search began, or last went on; old ones have none."""
N_FITS = "n_fits"
"""The attribute of a trial whose values are running means over its fits: how many count."""
DEVICE_FAULTS = "device_faults"
"""The attribute of a trial that ran again, for its device failed: which ones did, ``host:device``."""
OUTGROWN = "outgrown_shares"
"""The attribute of a trial that ran again, for it ran out of memory: on which shares of a GPU it did."""
GPU = "gpu"
"""The attribute of a trial that had a GPU: what it used of it, as the fields of ``GpuUsage``."""
MUTATIONS = "mutations"
"""The attribute of a trial whose constants changed while it trained: after which epoch, from whom, to what."""

BASELINE = 0
"""The number of the trial with the hardcoded values."""

State = Literal["complete", "pruned", "failed", "waiting", "running"]
STATES: dict[str, State] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "WAITING": "waiting",
    "RUNNING": "running",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """One trial of the ledger."""

    number: int
    version: str
    """The version's folder name."""
    values: dict[str, Value]
    """The promoted constants; where they changed while it trained, those of its best epoch."""
    state: State
    score: float | None
    """The metric in the best epoch; None when no finite value was reported."""
    best_epoch: int | None
    """Counts from 1."""
    curve: dict[int, float]
    """The metric by epoch."""
    measures: dict[int, tuple[float, ...]]
    """All metrics by epoch, the leading one first."""
    reason: str | None
    """Why it failed, or who stopped it."""
    started: float | None = None
    """Seconds since the epoch; None before it starts."""
    ended: float | None = None
    """Seconds since the epoch; None before it ends."""
    n_fits: int | None = None
    """Where the curve is the running mean over fits, by their number: how many count; None: it is by epoch."""
    repeat_of: int | None = None
    """The trial with the same configuration that this one was taken from; it has no version of its own then."""

    device_faults: tuple[str, ...] = ()
    """Devices that failed it before, ``host:device``: it ran again."""
    outgrown_shares: tuple[float, ...] = ()
    """Shares of a GPU on which it ran out of memory before: it ran again on a larger one."""
    gpu: GpuUsage | None = None
    """What it used of its GPU; None: it had none, or that is not known."""

    proposal: ProposalNote | None = None
    """Who proposed it, and why; None: nobody did."""
    n_changes: int = 0
    """How often `pbt` changed its constants before its best epoch: it trained with others until then."""

    def __repr__(self) -> str:
        """Return one line, without the curve: what it is, its score, and its constants."""
        told = f"{self.score:.5g} {self.score_origin}" if self.score is not None else self.reason or "no score"
        held = "".join(f", {name}={value!r}" for name, value in self.values.items())
        return f"<trial {self.number}: {self.state}, {told}{held}>"

    @property
    def duration_s(self) -> float | None:
        """How long it took, by the clock; None where that is not known: it has not ended, or the clock was set back."""
        if self.started is None or self.ended is None or self.ended < self.started:
            return None
        return self.ended - self.started

    @property
    def is_baseline(self) -> bool:
        """Whether it ran the hardcoded values."""
        return self.number == BASELINE

    @property
    def final_score(self) -> float | None:
        """Its score, for comparison with others; None where it failed: what it reached before is no result."""
        return None if self.state == "failed" else self.score

    @property
    def scores(self) -> tuple[float, ...]:
        """All metrics in the best epoch; none where there is no such epoch."""
        return () if self.best_epoch is None else self.measures[self.best_epoch]

    @property
    def is_comparable(self) -> bool:
        """Whether the score is of all fits that count; a constant may say how many a trial has."""
        return self.n_fits is None or self.state == "complete" or self.n_epochs >= self.n_fits

    @property
    def score_origin(self) -> str:
        """Where the score comes from, to be read behind it."""
        if self.n_fits is None:
            return f"in epoch {self.best_epoch}"
        of_all = "" if self.is_comparable else f" of {self.n_fits}"
        error = "" if self.standard_error is None else f" (standard error {self.standard_error:.2g})"
        return f"as the mean of {self.n_epochs}{of_all} fits{error}"

    @property
    def standard_error(self) -> float | None:
        """Of a score that is the mean of several fits, from what each of them adds to the running mean."""
        means = [self.curve[number] for number in sorted(self.curve)]
        if self.n_fits is None or len(means) < 2 or not all(map(math.isfinite, means)):
            return None
        sums = [number * mean for number, mean in enumerate(means, start=1)]
        scores = [now - before for before, now in zip([0.0, *sums], sums, strict=False)]
        return statistics.stdev(scores) / math.sqrt(len(scores))

    @property
    def formatted_length(self) -> str:
        """How many epochs or fits it has, of constant width up to 999."""
        unit = "epoch" if self.n_fits is None else "fit"
        return f"{self.n_epochs:>3} {unit}{'s' if self.n_epochs != 1 else ' '}"

    @property
    def n_epochs(self) -> int:
        """Epochs until the last value, those without one among them; of a mean over fits the fits."""
        return max(self.curve, default=0)


def describe_hand(trial: TrialResult) -> str:
    """Return who proposed a trial, or stopped it, and why; empty where nobody did either."""
    told = [] if trial.proposal is None else [trial.proposal.description]
    return "; ".join([*told, *([trial.reason] if trial.state == "pruned" and trial.reason else [])])


def describe_changes(trials: Sequence[TrialResult]) -> str | None:
    """Return that trials are trained again otherwise than in the search, where `pbt` changed their constants there."""
    changed = [each.version for each in trials if each.n_changes]
    if not changed:
        return None
    return (
        f"`pbt` changed the constants of {', '.join(changed)} while it trained: trained again, it has those of its "
        "best epoch from the start, as a source has that they are applied to"
    )


def check_format(found: object, paths: ExperimentPaths) -> None:
    """Raise ExperimentError unless we know the format of a ledger."""
    if found != FORMAT:
        what = f"the ledger's format is {found!r}, this version knows {FORMAT}"
        raise ExperimentError(
            display_path(paths.journal), what, "Use the version of Promotune that wrote it, or a newer one."
        )


def extra_metrics_key(epoch: int) -> str:
    """Return the attribute of a trial that holds its further metrics in an epoch: Optuna keeps one curve a trial."""
    return f"others in epoch {epoch}"


def read_metric_values(trial: "FrozenTrial") -> dict[int, tuple[float, ...]]:
    """Return all metrics by epoch."""
    attributes = trial.user_attrs
    return {
        epoch: (value, *attributes.get(extra_metrics_key(epoch), ()))
        for epoch, value in trial.intermediate_values.items()
    }


def create_trial_result(trial: "FrozenTrial", mode: Mode) -> TrialResult:
    """Read one trial of a study."""
    attributes = trial.user_attrs
    n_fits = attributes.get(N_FITS)
    best_epoch = find_score_epoch(trial.intermediate_values, mode, n_fits)
    changes = _list_changes(best_epoch, attributes)
    return TrialResult(
        number=trial.number,
        version=attributes.get("version", str(trial.number)),
        values=(changes[-1] if changes else attributes.get("constants")) or trial.params,
        state=STATES[trial.state.name],
        score=None if best_epoch is None else trial.intermediate_values[best_epoch],
        best_epoch=best_epoch,
        curve=dict(trial.intermediate_values),
        measures=read_metric_values(trial),
        reason=attributes.get("reason"),
        started=trial.datetime_start.timestamp() if trial.datetime_start else None,
        ended=trial.datetime_complete.timestamp() if trial.datetime_complete else None,
        n_fits=n_fits,
        repeat_of=attributes.get("repeat_of"),
        device_faults=tuple(attributes.get(DEVICE_FAULTS, ())),
        outgrown_shares=tuple(attributes.get(OUTGROWN, ())),
        gpu=read_gpu_usage(attributes.get(GPU)),
        proposal=read_proposal(attributes.get(PROPOSED)),
        n_changes=len(changes),
    )


def _list_changes(epoch: int | None, attributes: Mapping[str, Any]) -> list[dict[str, Value]]:
    """Return what the constants were changed to before an epoch, the first change first."""
    mutations = attributes.get(MUTATIONS, ())
    return [each["constants"] for each in mutations if epoch is not None and each["epoch"] < epoch]


def rank_trials(outcomes: Sequence[TrialResult], mode: Mode) -> list[TrialResult]:
    """Return the trials with a score that did not fail, interrupted ones too, the best first; of equals the earlier.

    Means of fewer fits than count come behind all others.
    """
    scored = [outcome for outcome in outcomes if outcome.score is not None and outcome.state != "failed"]
    sign = -1 if mode == "max" else 1
    return sorted(scored, key=lambda each: (not each.is_comparable, sign * (each.score or 0.0), each.number))


def pareto_front(outcomes: Sequence[TrialResult], modes: Sequence[Mode]) -> list[TrialResult]:
    """Return the trials that no other one beats in one metric without losing in another; the first metric orders them.

    Of trials that are equal in all metrics the earliest stands for all.
    """
    signs = [-1 if mode == "max" else 1 for mode in modes]
    scored = [each for each in rank_trials(outcomes, modes[0]) if all(map(math.isfinite, each.scores))]
    scored.sort(key=lambda each: [sign * score for sign, score in zip(signs, each.scores, strict=True)])
    front: list[TrialResult] = []
    for each in scored:  # whoever dominates it came before it
        if not any(other.scores == each.scores or dominates(other.scores, each.scores, modes) for other in front):
            front.append(each)
    return front


def dominates(one: Sequence[float], other: Sequence[float], modes: Sequence[Mode]) -> bool:
    """Tell whether one is as good in every metric, and better in one."""
    signs = [1 if mode == "max" else -1 for mode in modes]
    gains = [sign * (a - b) for sign, a, b in zip(signs, one, other, strict=True)]
    return all(gain >= 0 for gain in gains) and any(gain > 0 for gain in gains)
