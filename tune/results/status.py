"""Where a search is: one object, and an event for each thing that happens; for programs that watch it.

The fields are described in ``docs/reference/json.md`` and ``docs/reference/status.schema.json``. STATUS_FORMAT grows
when one of them changes or goes.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from tune.errors import ExperimentError, StorageError
from tune.experiment.lock import has_no_trial, is_locked, is_running
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.trial_result import Mode, TrialResult, is_improvement
from tune.paths import ExperimentPaths
from tune.results.confirm.confirmation import Confirmation, read_confirmation
from tune.results.experiments import ENDED, State, find_state
from tune.results.results_as_json import replace_non_finite
from tune.space.space_file import read_space
from tune.storage.download import download_experiment, resolve_local_folder
from tune.storage_url import is_url, local_folder_of

STATUS_FORMAT = 3
POLL_S = 0.5
"""So often a search that is followed is looked at."""
REMOTE_POLL_S = 5.0
"""So often it is looked at where another machine writes it, at a URL: each look lists files there."""
MOST_LOAD = 0.2
"""The part of its time in which a process that follows reads: of a long ledger a look takes long."""

STORE_S = 600.0
"""So long a store may not answer a process that follows; then that ends."""
ACTIVE: tuple[State, ...] = ("running", "paused")
"""The states of a search that a process writes now."""

Event = dict[str, Any]
Outcome = Literal["running", "better", "nothing better", "interrupted", "failed"]


def find_search(name: str, storage: Path) -> ExperimentPaths:
    """Return the paths of a search by its name or folder, also of one that has no ledger yet.

    Raises ExperimentError where there is none.
    """
    try:
        return open_experiment(name, storage).paths
    except ExperimentError:
        candidates = (resolve_local_folder(name),) if is_url(name) else (storage / name, local_folder_of(name))
        for folder in candidates:
            paths = ExperimentPaths(folder)
            if _has_no_ledger(paths):
                return paths
        raise


def read_status(paths: ExperimentPaths) -> dict[str, Any]:
    """Return where the search is now; what is not finite is None.

    Raises ExperimentError where its ledger cannot be read.
    """
    is_active = is_running(paths)  # first: what is written until it ends is read below
    return _describe_status(paths, _open_ledger(paths), is_active=is_active)


def _describe_status(paths: ExperimentPaths, experiment: StoredExperiment | None, *, is_active: bool) -> dict[str, Any]:
    """Return where a search was when it was opened; ``is_active``: a process writes it."""
    if experiment is None:
        return _status_without_ledger(paths, is_active=is_active)
    state = find_state(experiment, running=is_active)
    trials = [_trial_object(each, is_active=is_active) for each in experiment.trials]
    by_number = {each["number"]: each for each in trials}
    best, baseline = experiment.best, experiment.baseline
    counts = Counter(each["state"] for each in trials)
    confirmation = read_confirmation(experiment)
    verdict = None if confirmation is None or confirmation.verdict is None else confirmation.verdict.finding
    return {
        "format": STATUS_FORMAT,
        "experiment": paths.name,
        "folder": str(paths.folder),
        "state": state,
        "outcome": choose_outcome(state, best, baseline, verdict),
        "metrics": [{"metric": each.metric, "mode": each.mode} for each in experiment.space.objectives],
        "n_wanted": experiment.n_wanted,
        "n_trials": {name: counts[name] for name in ("complete", "pruned", "failed", "running", "waiting")},
        "baseline": None if baseline is None else by_number[baseline.number],
        "best": None if best is None else by_number[best.number],
        "chosen": None if experiment.chosen is None else experiment.chosen.number,
        "verdict": verdict,
        "confirmation": None if confirmation is None else _confirmation_object(confirmation),
        "running": [each for each in trials if each["state"] == "running"],
        "paused": experiment.pause.as_json() if experiment.pause is not None and state == "paused" else None,
    }


def _status_without_ledger(paths: ExperimentPaths, *, is_active: bool) -> dict[str, Any]:
    """Return the status of a search that has no ledger: Ray starts, or it was ended before."""
    space = read_space(paths.space, program_is_here=False)
    return {
        "format": STATUS_FORMAT,
        "experiment": paths.name,
        "folder": str(paths.folder),
        "state": "running" if is_active else "never began",
        "outcome": "running" if is_active else "interrupted",
        "metrics": [{"metric": each.metric, "mode": each.mode} for each in space.objectives],
        "n_wanted": space.settings.trials,
        "n_trials": dict.fromkeys(("complete", "pruned", "failed", "running", "waiting"), 0),
        "baseline": None,
        "best": None,
        "chosen": None,
        "verdict": None,
        "confirmation": None,
        "running": [],
        "paused": None,
    }


def choose_outcome(
    state: State, best: TrialResult | None, baseline: TrialResult | None, verdict: str | None
) -> Outcome:
    """Return what a search came to so far; a verdict counts more than the scores of single trials."""
    if state in ACTIVE:
        return "running"
    if state in ("interrupted", "never began"):
        return "interrupted"
    if state != "finished" or best is None or baseline is None or baseline.state == "failed":
        return "failed"
    return "nothing better" if best.is_baseline or verdict in ("noise", "loss") else "better"


def _confirmation_object(confirmation: Confirmation) -> dict[str, Any]:
    """Return how far a confirmation is; ``n_trained`` counts its trainings that ended, failed ones too."""
    return {"n_trained": sum(map(len, confirmation.runs.values())), "is_over": not confirmation.needed}


def _trial_object(trial: TrialResult, *, is_active: bool) -> dict[str, Any]:
    """Return a trial; one that ran when its driver was killed waits for ``resume``."""
    return {
        "number": trial.number,
        "version": trial.version,
        "state": "waiting" if trial.state == "running" and not is_active else trial.state,
        "score": replace_non_finite(trial.score),
        "n_epochs": trial.n_epochs,
        "is_proposed": trial.proposal is not None,
        "constants": replace_non_finite(dict(trial.values)),
    }


def follow_events(paths: ExperimentPaths, poll_s: float = POLL_S) -> Iterator[Event]:
    """Yield the status, then an event for each thing that happens, and the end of the search; it may take hours.

    A search whose driver was killed has ended. A store that does not answer is asked again for STORE_S. Raises
    ExperimentError where the ledger is damaged, or goes away, and StorageError where the store stays away.
    """
    seen, is_over = _stamp(paths), not is_running(paths)
    experiment = _open_ledger(paths)
    yield {"event": "status", **_describe_status(paths, experiment, is_active=not is_over)}
    answered = time.monotonic()
    while not is_over:
        began = time.monotonic()
        before = experiment
        try:
            is_over_now, is_elsewhere = _look_again(paths)
            if (now := _stamp(paths)) != seen or is_over_now:
                seen, experiment = now, _open_ledger(paths)
            is_over, answered = is_over_now, began
        except StorageError:  # the network may come back
            if began - answered >= STORE_S:
                raise
            time.sleep(REMOTE_POLL_S)
            continue
        if experiment is not None and experiment is not before:
            yield from list_changes(before, experiment, is_over=is_over)
        if not is_over:
            took = time.monotonic() - began
            time.sleep(max(REMOTE_POLL_S if is_elsewhere else poll_s, took * (1 / MOST_LOAD - 1)))
    status = _describe_status(paths, experiment, is_active=False)
    yield {"event": "finished", "state": status["state"], "outcome": status["outcome"]}


def _look_again(paths: ExperimentPaths) -> tuple[bool, bool]:
    """Return whether the search has ended, and whether another machine writes it, whose files are here then."""
    is_over = not is_running(paths)  # first: what is written until it ends is read later
    is_elsewhere = not is_over and not is_locked(paths)
    if is_elsewhere:
        download_experiment(paths.folder)
    return is_over, is_elsewhere


def list_changes(before: StoredExperiment | None, after: StoredExperiment, *, is_over: bool) -> Iterator[Event]:
    """Yield what happened between two looks; that a search is paused says nothing once it has ended."""
    yield from list_events(() if before is None else before.trials, after.trials, after.space.mode)
    was = None if before is None else before.pause
    if after.pause != was and not is_over:
        yield {"event": "resumed"} if after.pause is None else {"event": "paused", **after.pause.as_json()}


def _open_ledger(paths: ExperimentPaths) -> StoredExperiment | None:
    """Open the experiment; return None where a search has written its space, and no ledger yet."""
    return None if _has_no_ledger(paths) else open_experiment(str(paths.folder), paths.folder.parent)


def _has_no_ledger(paths: ExperimentPaths) -> bool:
    """Tell whether a search has written its space, and no ledger yet, or the beginning of one."""
    return paths.space.is_file() and (not paths.journal.is_file() or has_no_trial(paths))


def _stamp(paths: ExperimentPaths) -> tuple[int, int] | None:
    """Return what changes when the ledger is written; None where there is none."""
    try:
        written = paths.journal.stat()
    except FileNotFoundError:
        return None
    return written.st_mtime_ns, written.st_size


def list_events(before: Sequence[TrialResult], after: Sequence[TrialResult], mode: Mode) -> list[Event]:
    """Return what happened between two looks at the trials: of each trial its proposal, start, epochs and end."""
    known = {each.number: each for each in before}
    best = max_score([each.final_score for each in before if each.state in ENDED], mode)
    events: list[Event] = []
    for trial in after:
        was = known.get(trial.number)
        constants = replace_non_finite(dict(trial.values))
        if was is None and trial.proposal is not None:
            why = trial.proposal.why or None
            events.append({"event": "proposed", "trial": trial.number, "constants": constants, "why": why})
        if trial.state != "waiting" and (was is None or was.state == "waiting"):
            events.append({"event": "started", "trial": trial.number, "version": trial.version, "constants": constants})
        old = {} if was is None else was.curve
        events += [
            {"event": "epoch", "trial": trial.number, "epoch": epoch, "value": replace_non_finite(value)}
            for epoch, value in sorted(trial.curve.items())
            if epoch not in old
        ]
        if trial.state in ENDED and (was is None or was.state not in ENDED):
            events.append(_end_event(trial))
            if trial.final_score is not None and is_improvement(mode, trial.final_score, best):
                best = trial.final_score
                events.append({"event": "best", "trial": trial.number, "score": best})
    return events


def _end_event(trial: TrialResult) -> Event:
    return {
        "event": "ended",
        "trial": trial.number,
        "state": trial.state,
        "score": replace_non_finite(trial.score),
        "best_epoch": trial.best_epoch,
        "reason": trial.reason,
    }


def max_score(scores: Sequence[float | None], mode: Mode) -> float | None:
    """Return the best of several scores; None where there is none."""
    best: float | None = None
    for score in scores:
        if score is not None and is_improvement(mode, score, best):
            best = score
    return best
