"""Which runs a confirmation has: the trials that race, the seeds of race and verdict, and how many fit in the time."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tune.experiment.open import StoredExperiment
from tune.experiment.records import RetrainRequest, TrialRecord, digest_of, read_record
from tune.experiment.trial_result import BASELINE, TrialResult, pareto_front, rank_trials
from tune.experiment.verdicts import VerdictRecord, count_ended, read_project_verdicts, read_verdicts
from tune.results.confirm.error_rate import count_needed_seeds, error_rate_of_verdict
from tune.results.confirm.project import next_verdict_number
from tune.results.confirm.race_size import choose_race_size, count_affordable_seeds, estimate_time
from tune.results.retrain_results import read_retrained, seed_of
from tune.space.settings import CONFIRM_SHARE, MAX_SEED, RACE_SHARE, Confirm


def select_candidates(experiment: StoredExperiment, top: int) -> list[TrialResult]:
    """Return the trials that race, the best first; of several metrics those of the Pareto front.

    None where no trial was better than the hardcoded values: there is no gain to confirm then.
    """
    space = experiment.space
    if experiment.best is None or experiment.baseline is None:
        return []
    if space.others:
        ranked = pareto_front(experiment.trials, [each.mode for each in space.objectives])
    else:
        ranked = [] if experiment.best.is_baseline else rank_trials(experiment.trials, space.mode)
    return [each for each in ranked if each.repeat_of is None and each.number != BASELINE][:top]


def plan_confirmation(
    experiment: StoredExperiment, confirm: Confirm, n_workers: int = 1, left_s: float | None = None
) -> VerdictRecord | None:
    """Return the confirmation that was begun, else a new one that is not written yet; None: there is no candidate.

    ``n_workers``: how many runs there are at a time; it matters where the time is limited. ``left_s``: what is left of
    the time budget; None: that is not known, and CONFIRM_SHARE of it counts.
    """
    candidates = select_candidates(experiment, confirm.top)
    if not candidates:
        return None
    n_ended, trials = count_ended(experiment.trials), tuple(each.number for each in candidates)
    for record in reversed(read_verdicts(experiment.paths)):
        if record.has_race and record.n_ended == n_ended and _is_race_of(record, trials, confirm, experiment):
            return record
    record = new_verdict(experiment, trials)
    n_race_seeds = confirm.seeds if len(trials) > 1 and not experiment.space.others else 0
    size = _choose_size(experiment, record, n_race_seeds, n_workers, left_s)
    n_seeds = size.n_seeds + size.n_more_seeds
    seeds = fresh_seeds(n_race_seeds + n_seeds, list_used_seeds(experiment, of_verdicts=True))
    of_verdict = seeds[n_race_seeds:]  # the same ones for a smaller race
    return replace(
        record,
        trials=trials[: size.n_trials],
        race_seeds=seeds[: size.n_race_seeds],
        seeds=of_verdict[: size.n_seeds],
        more_seeds=of_verdict[size.n_seeds :],
        n_ended=n_ended,
    )


def _is_race_of(record: VerdictRecord, trials: tuple[int, ...], confirm: Confirm, experiment: StoredExperiment) -> bool:
    """Tell whether a verdict has the race that is asked for; where the time is limited it may be a smaller one."""
    if experiment.space.settings.time_budget_s is None:
        has_no_race = len(trials) == 1 or experiment.space.others
        return record.trials == trials and (bool(has_no_race) or len(record.race_seeds) == confirm.seeds)
    return record.trials == trials[: len(record.trials)] and len(record.race_seeds) <= confirm.seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """How many runs a confirmation has."""

    n_trials: int
    n_race_seeds: int
    n_seeds: int
    """Of the first look of the verdict."""
    n_more_seeds: int
    """Of the second one; 0: there is none."""


def _choose_size(
    experiment: StoredExperiment, record: VerdictRecord, n_race_seeds: int, n_workers: int, left_s: float | None
) -> _Size:
    """Return the size of a confirmation of these trials: a smaller one where time is limited."""
    is_front, n_trials = bool(experiment.space.others), len(record.trials)
    n_intervals = n_trials * len(experiment.space.objectives) if is_front else 1
    n_seeds = count_needed_seeds(record.error_rate / n_intervals)
    n_more_seeds = 0 if is_front else n_seeds
    budget_s, baseline_s = experiment.space.settings.time_budget_s, _measure_baseline(experiment)
    if budget_s is None or baseline_s is None:
        return _Size(n_trials=n_trials, n_race_seeds=n_race_seeds, n_seeds=n_seeds, n_more_seeds=n_more_seeds)
    left_s = CONFIRM_SHARE * budget_s if left_s is None else left_s
    runs_s = [_measure_trial(experiment, trial, baseline_s) for trial in record.trials]
    of_seed = [baseline_s, *(runs_s if is_front else [max(runs_s)])]  # whoever wins
    n_affordable = count_affordable_seeds(of_seed, n_seeds, n_workers, left_s)
    if is_front:
        return _Size(n_trials=n_trials, n_race_seeds=0, n_seeds=n_affordable, n_more_seeds=0)
    look_s = estimate_time(of_seed * n_affordable, n_workers)
    left_s -= look_s
    race = choose_race_size(runs_s, n_race_seeds, n_workers, min(left_s, RACE_SHARE * budget_s))
    left_s -= 0.0 if race is None else race.race_s
    return _Size(
        n_trials=1 if race is None else race.n_trials,
        n_race_seeds=0 if race is None else race.n_seeds,
        n_seeds=n_affordable,
        n_more_seeds=n_more_seeds if n_affordable == n_seeds and look_s <= left_s else 0,
    )


def _measure_baseline(experiment: StoredExperiment) -> float | None:
    """Return how many seconds the hardcoded values train: with fresh seeds, if there are any, else in the search.

    None where that is not known.
    """
    request = build_request(experiment)
    retrained = read_retrained(experiment.paths)
    runs = [each for each in retrained if each.request == replace(request, seed=each.request.seed)]
    times = [_measure_duration(each.record) for each in runs if each.is_complete]
    if known := [each for each in times if each is not None]:
        return statistics.fmean(known)
    baseline_s = None if experiment.baseline is None else experiment.baseline.duration_s
    return None if baseline_s is None else baseline_s / experiment.space.settings.seeds_per_trial


def _measure_trial(experiment: StoredExperiment, number: int, baseline_s: float) -> float:
    """Return how many seconds a trial trains to its end, as in the search; ``baseline_s`` if that is not known."""
    trial = next(each for each in experiment.trials if each.number == number)
    record, baseline = read_record(experiment.paths.version(trial.version)), experiment.baseline
    trial_s = _measure_duration(record)
    if trial_s is None or not trial.n_epochs or baseline is None:
        return baseline_s
    return trial_s * max(1.0, baseline.n_epochs / trial.n_epochs) / experiment.space.settings.seeds_per_trial


def _measure_duration(record: TrialRecord | None) -> float | None:
    """Return the seconds that a training took; None where it has not ended, paused, or was interrupted."""
    if record is None or record.ended is None or record.attempt > 1 or record.ended < record.started:
        return None
    return record.ended - record.started


def new_verdict(
    experiment: StoredExperiment, trials: tuple[int, ...], seeds: tuple[int, ...] = (), change: str = ""
) -> VerdictRecord:
    """Return the next verdict of the experiment's project, which is not written yet."""
    number = next_verdict_number(experiment.paths.folder.parent, experiment.snapshot.program, experiment.space.metric)
    return VerdictRecord(
        program=str(experiment.snapshot.program.path),
        metric=experiment.space.metric,
        number=number,
        error_rate=error_rate_of_verdict(number),
        trials=trials,
        seeds=seeds,
        change=change,
    )


def fresh_seeds(n: int, used: Sequence[int]) -> tuple[int, ...]:
    """Return seeds that have not chosen a trial: always the same, so that a retraining can be gone on with."""
    first = max(used, default=-1) + 1
    following = ((first + index) % (MAX_SEED + 1) for index in itertools.count())
    return tuple(itertools.islice((seed for seed in following if seed not in used), n))


def choose_seeds(experiment: StoredExperiment, trials: tuple[int, ...], n: int) -> tuple[int, ...]:
    """Return the seeds of a verdict on trials that were named: those of an earlier one on them first, then others."""
    earlier = [each.seeds for each in read_verdicts(experiment.paths) if not each.has_race and each.trials == trials]
    known = max(earlier, key=len, default=())
    others = fresh_seeds(n + len(known), list_used_seeds(experiment))
    return (*known, *(each for each in others if each not in known))[:n]


def list_used_seeds(experiment: StoredExperiment, *, of_verdicts: bool = False) -> list[int]:
    """Return the seeds that chose something, or may have: of the search, and of verdicts that compared trials.

    Whoever names a trial has seen the verdicts so far, those on other searches of the program too. One of this search
    on a single trial compares none, and its runs of the hardcoded values serve again. ``of_verdicts``: of all verdicts.
    """
    found = [seed_of(experiment, each) for each in experiment.trials]
    program, storage = str(experiment.snapshot.program.path), experiment.paths.folder.parent
    for folder, records in read_project_verdicts(storage, program, experiment.space.metric).items():
        is_other = folder != experiment.paths.folder
        for record in records:
            if of_verdicts or is_other or record.has_race or len(record.trials) > 1:
                found += record.all_seeds
    return found


def build_request(experiment: StoredExperiment) -> RetrainRequest:
    """Return the baseline's run with the search's seed as a fresh one; `replace` says which run is meant."""
    paths, settings = experiment.paths, experiment.space.settings
    return RetrainRequest(
        trial=BASELINE,
        seed=settings.seed,
        fresh=True,
        trainer=dict(settings.trainer),
        source=paths.source.relative_to(paths.folder).as_posix(),
        digest=digest_of(experiment.snapshot.stored_program),
    )
