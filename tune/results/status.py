"""Where a search is: one object, and an event for each thing that happens; for programs that watch it.

The fields are described in ``docs/reference/json.md``. STATUS_FORMAT grows when one of them changes or goes.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tune.experiment.lock import is_locked
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.trial_result import Mode, TrialResult, is_improvement
from tune.paths import ExperimentPaths
from tune.results.confirm.confirmation import read_confirmation
from tune.results.experiments import ENDED, State, summarise_experiment
from tune.results.export import replace_non_finite

STATUS_FORMAT = 1
POLL_S = 0.5
"""So often a search that is followed is looked at."""

Event = dict[str, Any]


def read_status(experiment: StoredExperiment) -> dict[str, Any]:
    """Return where the search is; what is not finite is None."""
    paths, trials = experiment.paths, experiment.trials
    counts = Counter(each.state for each in trials)
    confirmation = read_confirmation(experiment)
    return {
        "format": STATUS_FORMAT,
        "experiment": paths.name,
        "folder": str(paths.folder),
        "state": read_state(paths),
        "metrics": [{"metric": each.metric, "mode": each.mode} for each in experiment.space.objectives],
        "n_wanted": experiment.n_wanted,
        "n_trials": {state: counts[state] for state in ("complete", "pruned", "failed", "running", "waiting")},
        "baseline": _trial_object(experiment.baseline),
        "best": _trial_object(experiment.best),
        "chosen": None if experiment.chosen is None else experiment.chosen.number,
        "verdict": None if confirmation is None or confirmation.verdict is None else confirmation.verdict.finding,
        "running": [_trial_object(each) for each in trials if each.state == "running"],
    }


def read_state(paths: ExperimentPaths) -> State:
    """Return the state that ``list`` shows."""
    return summarise_experiment(paths, running=is_locked(paths)).state


def _trial_object(trial: TrialResult | None) -> dict[str, Any] | None:
    if trial is None:
        return None
    return {
        "number": trial.number,
        "version": trial.version,
        "state": trial.state,
        "score": replace_non_finite(trial.score),
        "n_epochs": trial.n_epochs,
        "constants": replace_non_finite(dict(trial.values)),
    }


def follow_events(paths: ExperimentPaths, poll_s: float = POLL_S) -> Iterator[Event]:
    """Yield the status, then an event for each thing that happens, and the end of the search; it may take hours."""
    experiment = open_experiment(str(paths.folder), paths.folder.parent)
    mode, trials = experiment.space.mode, experiment.trials
    yield {"event": "status", **read_status(experiment)}
    seen = _stamp(paths)
    while True:
        is_over = not is_locked(paths)  # first: what is written until the lock is free is read below
        if (now := _stamp(paths)) != seen or is_over:
            seen = now
            after = open_experiment(str(paths.folder), paths.folder.parent)
            yield from list_events(trials, after.trials, mode)
            trials = after.trials
        if is_over:
            yield {"event": "end", "state": read_state(paths)}
            return
        time.sleep(poll_s)


def _stamp(paths: ExperimentPaths) -> tuple[int, int]:
    written = paths.journal.stat()
    return written.st_mtime_ns, written.st_size


def list_events(before: Sequence[TrialResult], after: Sequence[TrialResult], mode: Mode) -> list[Event]:
    """Return what happened between two looks at the trials: of each trial its start, its epochs and its end."""
    known = {each.number: each for each in before}
    best = max_score([each.final_score for each in before if each.state in ENDED], mode)
    events: list[Event] = []
    for trial in after:
        was = known.get(trial.number)
        if was is None or (was.state == "waiting" and trial.state != "waiting"):
            constants = replace_non_finite(dict(trial.values))
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
