"""The versions under ``retrain/``: what came of each, and whether a trial came out again."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tune.errors import PromotuneError
from tune.experiment.environment import read_environment
from tune.experiment.open import StoredExperiment
from tune.experiment.records import RetrainRequest, TrialRecord, digest_of, read_record, read_request
from tune.experiment.trial_result import Mode, TrialResult, find_score_epoch
from tune.paths import ExperimentPaths, VersionPaths
from tune.promotion.program import Program
from tune.promotion.snapshot import open_snapshot
from tune.results.verdict import ERROR_RATE, SeedRun, Verdict, judge_gain
from tune.results.write_back import describe_changed_lines

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
    def is_reproduced(self) -> bool:
        """Whether there was something to compare, and it is the same."""
        return self.n_epochs > 0 and self.first is None

    @property
    def is_unexplained(self) -> bool:
        """Whether nothing that we know of is otherwise: then only the same again tells more."""
        return self.n_epochs > 0 and not self.is_reproduced and not self.differences

    @property
    def finding_lines(self) -> list[str]:
        """What to tell people: the finding first."""
        if not self.n_epochs:
            return ["nothing to compare: the search has no epoch of it"]
        if self.is_reproduced:
            many = f"all {self.n_epochs} epochs" if self.n_epochs > 1 else "the one epoch"
            return [f"reproduced: the same curve in {many} that both have"]
        return [
            f"not reproduced: epoch {self.first} differs first, the largest difference is {self.largest:.3g}",
            *self._explanation_lines,
        ]

    @property
    def _explanation_lines(self) -> list[str]:
        if self.differences:
            return [f"what differs: {each}" for each in self.differences]
        if self.deterministic is None:
            return ["nothing that is recorded differs"]
        if self.deterministic:
            agree = "two runs of today agree with each other: what differs is not recorded"
            return [f"{agree}, such as data files or environment variables"]
        return ["the program is not deterministic: two runs with the same seed, one after the other, differ too"]


def compare_curves(
    then: Mapping[int, float],
    now: Mapping[int, float],
    differences: Iterable[Difference] = (),
    again: Mapping[int, float] | None = None,
) -> Reproduction:
    """Compare what there is of two curves; ``again`` is the curve of one more run of the second kind."""
    epochs = sorted(then.keys() & now.keys())
    apart = [epoch for epoch in epochs if not _is_close(then[epoch], now[epoch])]
    return Reproduction(
        n_epochs=len(epochs),
        first=apart[0] if apart else None,
        largest=max((_absolute_difference(then[epoch], now[epoch]) for epoch in apart), default=0.0),
        differences=tuple(differences),
        deterministic=None if again is None else _is_equal_curve(now, again),
    )


def diff_mappings(then: Mapping[str, object], now: Mapping[str, object], prefix: str = "") -> list[Difference]:
    """Return what two descriptions do not say alike."""
    names = dict.fromkeys((*then, *now))
    return [
        Difference(f"{prefix}{name}", str(then.get(name, "")), str(now.get(name, "")))
        for name in names
        if then.get(name, "") != now.get(name, "")
    ]


def _is_equal_curve(one: Mapping[int, float], other: Mapping[int, float]) -> bool:
    return one.keys() == other.keys() and all(_is_close(one[epoch], other[epoch]) for epoch in one)


def _is_close(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _absolute_difference(one: float, other: float) -> float:
    distance = abs(one - other)
    return distance if math.isfinite(distance) else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainedVersion:
    """One version under ``retrain/``."""

    files: VersionPaths
    request: RetrainRequest
    record: TrialRecord | None
    """None where it never began."""

    @property
    def is_complete(self) -> bool:
        """Whether it came to its end."""
        return self.record is not None and self.record.stage == "complete"

    @property
    def has_failed(self) -> bool:
        """Whether the program, or its metric, failed."""
        return self.record is not None and self.record.stage == "failed"

    @property
    def curve(self) -> dict[int, float]:
        """The metric by epoch."""
        return {} if self.record is None else dict(self.record.curve)

    def metric_run(self, place: int, mode: Mode) -> SeedRun:
        """Return for the verdict on one of several metrics what it was in the best epoch of the first.

        ``place``: among the metrics, from 0. ``mode``: of the first.
        """
        run = self.seed_run
        if self.record is None or place == 0 or run.failure is not None:
            return run
        epoch = find_score_epoch(self.curve, mode, self.n_fits) if run.curve else None
        values = dict(self.record.others).get(-1 if epoch is None else epoch, [])
        found = values[place - 1] if len(values) >= place else math.nan
        return SeedRun(curve={1: found} if math.isfinite(found) else {})

    @property
    def seed_run(self) -> SeedRun:
        """For the verdict: a run that was interrupted has no score."""
        if self.record is not None and self.record.failure is not None:
            return SeedRun(curve={}, failure=self.record.failure.reason)
        return SeedRun(curve=self.curve if self.is_complete else {}, n_fits=self.n_fits)

    @property
    def n_fits(self) -> int | None:
        """Where the curve is the running mean over fits: how many count."""
        return None if self.record is None else self.record.n_fits


def read_retrained(paths: ExperimentPaths) -> tuple[RetrainedVersion, ...]:
    """Return all that were retrained, in the order of their numbers."""
    if not paths.retrain_folder.is_dir():
        return ()
    files = [
        VersionPaths(folder)
        for folder in sorted(paths.retrain_folder.iterdir(), key=lambda folder: _version_sort_key(folder.name))
    ]
    found = [(each, request, read_record(each)) for each in files if (request := read_request(each)) is not None]
    return tuple(RetrainedVersion(files=each, request=request, record=record) for each, request, record in found)


def _version_sort_key(name: str) -> tuple[int, str]:
    digits = name.partition(",")[0]
    return (int(digits), name) if digits.isdecimal() else (-1, name)


def find_latest(retrained: Sequence[RetrainedVersion], request: RetrainRequest) -> RetrainedVersion | None:
    """Return the version that a request led to; of several the last."""
    return next((each for each in reversed(retrained) if each.request.key == request.key), None)


def judge_trials(
    retrained: Sequence[RetrainedVersion],
    experiment: StoredExperiment,
    requests: Sequence[RetrainRequest],
    error_rate: float = ERROR_RATE,
) -> dict[int, Verdict]:
    """Return the verdict on each trial that was trained with fresh seeds, the baseline's own aside, by its number.

    ``error_rate`` is that of all of them together.
    """
    runs: dict[int, dict[int, SeedRun]] = {}
    for request in requests:
        if request.fresh:
            found = find_latest(retrained, request)
            runs.setdefault(request.trial, {})[request.seed] = SeedRun(curve={}) if found is None else found.seed_run
    baseline = runs.pop(0, {})
    return {
        number: judge_gain(baseline, each, experiment.space.mode, n_compared=len(runs), error_rate=error_rate)
        for number, each in runs.items()
    }


def compare_with_repetition(
    experiment: StoredExperiment, trial: TrialResult, once: RetrainedVersion, again: RetrainedVersion | None = None
) -> Reproduction:
    """Compare a trial with its repetition, and say what is otherwise."""
    return compare_curves(
        trial.curve, once.curve, _find_differences(experiment, trial, once), None if again is None else again.curve
    )


def _find_differences(experiment: StoredExperiment, trial: TrialResult, once: RetrainedVersion) -> list[Difference]:
    known, request = read_environment(experiment.paths), once.request
    then = read_record(experiment.paths.version(trial.version))
    was = {**known, **(then.surroundings if then else {})}
    is_now = {**known, **(once.record.surroundings if once.record else {})}
    found = [*_source_differences(experiment, request), *diff_mappings(was, is_now)]
    found += diff_mappings({"seed": seed_of(experiment, trial)}, {"seed": request.seed})
    found += diff_mappings(experiment.space.settings.trainer, request.trainer, "trainer.")
    if trial.n_changes:
        found.append(Difference("`pbt` changed the constants while the trial trained", "", ""))
        then = None  # it went on from a checkpoint with each of them
    for whose, record in (("the trial", then), ("the retraining", once.record)):
        if record is not None and record.attempt > 1:
            found.append(Difference(f"{whose} was interrupted, and went on from a checkpoint", "", ""))
    return found


def seed_of(experiment: StoredExperiment, trial: TrialResult) -> int:
    """Return the seed that a trial was trained with."""
    record = read_record(experiment.paths.version(trial.version))
    return experiment.space.settings.seed if record is None else record.seed


def _source_differences(experiment: StoredExperiment, request: RetrainRequest) -> list[Difference]:
    then = experiment.snapshot.stored_program
    if digest_of(then) == request.digest:
        return []
    try:
        now = open_snapshot(experiment.paths.folder / request.source).stored_program
        return [Difference(f"source: {line}", "", "") for line in source_changes(then, now)]
    except (PromotuneError, OSError):
        return [Difference("source: it was edited", "", "")]


def source_changes(then: Program, now: Program) -> list[str]:
    """Return a line for each file that two states of a program do not share: ``net.py: 3 lines from line 12 on``."""
    names = dict.fromkeys((*then.sources, *now.sources))
    found = []
    for name in names:
        before, after = then.sources.get(name), now.sources.get(name)
        if before is None or after is None:
            found.append(f"{name} {'is new' if before is None else 'is gone'}")
        elif before.raw != after.raw:
            found.append(f"{name}: {describe_changed_lines(before.raw, after.raw)}")
    return found
