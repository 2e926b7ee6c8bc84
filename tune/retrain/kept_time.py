"""Give a search the time back that it kept for its confirmation, where no seed changes anything."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.records import TrialRecord
from tune.results.confirm.confirmation import N_TO_SEE_NO_SEED
from tune.results.confirm.plan import build_request, plan_confirmation
from tune.results.retrain_results import find_latest, read_retrained
from tune.retrain.confirm import create_plan
from tune.retrain.plan import divide_runs, lock_retrained
from tune.search.retrain import run_retraining
from tune.search.run import resume_search
from tune.search.spec import Search, SearchResult

GOES_ON = "no seed changes anything: the search goes on in the time that was kept for the confirmation"


def use_kept_time(search: Search, finished: SearchResult, tell: Callable[[str], None]) -> SearchResult:
    """Return a search that its time ended, gone on with if the confirmation needs no time; any other one as it is.

    The hardcoded values train with fresh seeds first, as many as run at a time: the verdict needs these runs anyway.
    Raises what ``resume_search`` does.
    """
    confirm, n_workers = search.space.settings.confirm, finished.resources.concurrency
    is_stopped = finished.interrupted_by_user or finished.is_finishing or finished.fault is not None
    is_through = finished.exhausted or len(finished.outcomes) >= finished.n_wanted
    if confirm is None or is_stopped or is_through:
        return finished
    experiment = open_experiment(str(search.paths.folder), search.paths.folder.parent)
    search = update_settings(search, experiment)
    budget_s = search.space.settings.time_budget_s
    if budget_s is None:
        return finished
    record = plan_confirmation(experiment, confirm, n_workers)
    if record is not None:
        with lock_retrained(experiment, tell):
            planned = create_plan(experiment, finished.resources, record)
            requests = [replace(build_request(experiment), seed=seed) for seed in record.seeds[:n_workers]]
            planned = divide_runs(planned, [(experiment.trials[0], each) for each in requests])
            called = time.time()
            if not run_retraining(planned.build_retraining(lambda run: (), is_steered=True)):
                return replace(finished, interrupted_by_user=True)
        retrained = read_retrained(experiment.paths)
        found = [find_latest(retrained, each) for each in requests]
        finished = _leave_out_start(finished, called, [each.record for each in found if each is not None])
        if not all(each is not None and each.is_complete and _has_same_curve(experiment, each.curve) for each in found):
            return finished
    spent_s = 0.0 if finished.began_s is None else time.monotonic() - finished.began_s
    if spent_s >= budget_s:
        return finished
    if record is not None:
        tell(GOES_ON)
    n_confirming = confirm.count_runs(N_TO_SEE_NO_SEED)
    again = replace(search, n_confirming=n_confirming, spent_s=spent_s, command=None, resources=finished.resources)
    return resume_search(again, experiment.snapshot)


def update_settings(search: Search, experiment: StoredExperiment) -> Search:
    """Return the search with what was set while it ran: else it would go on with the settings that it began with."""
    held = experiment.space.settings
    settings = replace(
        search.space.settings, trials=held.trials, concurrency=held.concurrency, time_budget_s=held.time_budget_s
    )
    return replace(search, space=replace(search.space, settings=settings))


def _leave_out_start(finished: SearchResult, called: float, records: Sequence[TrialRecord | None]) -> SearchResult:
    """Return a search whose budget ends earlier by the time that Ray took to start for these runs: it starts once more.

    ``called``: when they were asked for, in seconds since the epoch.
    """
    starts = [each.started for each in records if each is not None and each.started >= called]
    if finished.ends_at is None or not starts:
        return finished
    return replace(finished, ends_at=finished.ends_at - (min(starts) - called))


def _has_same_curve(experiment: StoredExperiment, curve: dict[int, float]) -> bool:
    """Tell whether a run of the hardcoded values is the same as that of the search."""
    return experiment.baseline is not None and experiment.baseline.curve == curve
