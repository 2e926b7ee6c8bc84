"""The versions under ``retrain/``: what each was to be and what came of it, and what they say of the trials."""

from collections.abc import Sequence
from dataclasses import dataclass

from tune.errors import PromotuneError
from tune.paths import ExperimentPaths, VersionPaths
from tune.promotion.program import Program
from tune.promotion.snapshot import open_snapshot
from tune.results.experiment import Experiment
from tune.results.reproduction import Difference, Reproduction, compare, of_mappings
from tune.results.verdict import Rerun, Verdict, judge
from tune.results.write_back import lines_changed
from tune.trial.outcome import Outcome
from tune.trial.record import Record, read_record
from tune.trial.request import Request, digest_of, read_request
from tune.trial.surroundings import read_surroundings

UNFINISHED = "it did not come to its end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """One version under ``retrain/``."""

    files: VersionPaths
    request: Request
    record: Record | None
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

    @property
    def rerun(self) -> Rerun:
        """For the verdict: a run that was interrupted has no score."""
        if self.record is not None and self.record.failure is not None:
            return Rerun(curve={}, failure=self.record.failure.reason)
        return Rerun(curve=self.curve if self.is_complete else {}, n_fits=self.n_fits)

    @property
    def n_fits(self) -> int | None:
        """Where the curve is the running mean over fits: how many count."""
        return None if self.record is None else self.record.n_fits


def read_retrained(paths: ExperimentPaths) -> tuple[Retrained, ...]:
    """Return all that were retrained, in the order of their numbers."""
    if not paths.retrain.is_dir():
        return ()
    files = [VersionPaths(folder) for folder in sorted(paths.retrain.iterdir(), key=lambda folder: _order(folder.name))]
    found = [(each, request, read_record(each)) for each in files if (request := read_request(each)) is not None]
    return tuple(Retrained(files=each, request=request, record=record) for each, request, record in found)


def _order(name: str) -> tuple[int, str]:
    digits = name.partition(",")[0]
    return (int(digits), name) if digits.isdecimal() else (-1, name)


def latest(retrained: Sequence[Retrained], request: Request) -> Retrained | None:
    """Return the version that a request led to; of several the last."""
    return next((each for each in reversed(retrained) if each.request.key == request.key), None)


def verdicts(retrained: Sequence[Retrained], experiment: Experiment, requests: Sequence[Request]) -> dict[int, Verdict]:
    """Return the verdict on each trial that was trained with fresh seeds, the baseline's own aside, by its number."""
    runs: dict[int, dict[int, Rerun]] = {}
    for request in requests:
        if request.fresh:
            found = latest(retrained, request)
            runs.setdefault(request.trial, {})[request.seed] = Rerun(curve={}) if found is None else found.rerun
    baseline = runs.pop(0, {})
    return {number: judge(baseline, each, experiment.space.mode, n_compared=len(runs)) for number, each in runs.items()}


def reproduction(
    experiment: Experiment, trial: Outcome, once: Retrained, again: Retrained | None = None
) -> Reproduction:
    """Compare a trial with its repetition, and say what is otherwise."""
    return compare(
        trial.curve, once.curve, _differences(experiment, trial, once), None if again is None else again.curve
    )


def _differences(experiment: Experiment, trial: Outcome, once: Retrained) -> list[Difference]:
    known, request = read_surroundings(experiment.paths), once.request
    then = read_record(experiment.paths.version(trial.version))
    was = {**known, **(then.surroundings if then else {})}
    is_now = {**known, **(once.record.surroundings if once.record else {})}
    found = [*_of_the_source(experiment, request), *of_mappings(was, is_now)]
    found += of_mappings({"seed": seed_of(experiment, trial)}, {"seed": request.seed})
    found += of_mappings(experiment.space.settings.trainer, request.trainer, "trainer.")
    for whose, record in (("the trial", then), ("the retraining", once.record)):
        if record is not None and record.attempt > 1:
            found.append(Difference(f"{whose} was interrupted, and went on from a checkpoint", "", ""))
    return found


def seed_of(experiment: Experiment, trial: Outcome) -> int:
    """Return the seed that a trial was trained with."""
    record = read_record(experiment.paths.version(trial.version))
    return experiment.space.settings.seed if record is None else record.seed


def _of_the_source(experiment: Experiment, request: Request) -> list[Difference]:
    then = experiment.snapshot.stored
    if digest_of(then) == request.digest:
        return []
    try:
        now = open_snapshot(experiment.paths.folder / request.source).stored
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
            found.append(f"{name}: {lines_changed(before.raw, after.raw)}")
    return found
