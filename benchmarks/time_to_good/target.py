"""What counts as good: 95% of the way from the hardcoded values to the best that random trials find."""

from dataclasses import replace

from benchmarks.peers.assignment import Assignment
from benchmarks.peers.contestants import RANDOM
from benchmarks.peers.events import Curve, curves
from benchmarks.peers.launch import launched

SHARE = 0.95
TIMEOUT_S = 3600
TARGET_SEED = 1_000_003
"""Of the random trials that make the target; no search has it."""


def measure_target(problem: Assignment, n_trials: int) -> dict[str, float]:
    """Train the hardcoded values, and so many random ones."""
    hardcoded = replace(problem, constants={}, n_trials=1, n_workers=1)
    drawn = replace(problem, n_trials=n_trials, seed=TARGET_SEED)
    baseline, best = (_best(each) for each in (hardcoded, drawn))
    return {"baseline": baseline, "best": best, "target": target_between(baseline, best), "random_trials": n_trials}


def target_between(baseline: float, best: float) -> float:
    """Return the value that is so much of the way from the first to the second, whichever is larger."""
    return baseline + SHARE * (best - baseline)


def first_reached(found: dict[str, Curve], mode: str, target: float) -> float | None:
    """Return when an epoch was logged that is as good as the target, seconds since the epoch; None: none was."""
    reached = [
        at for curve in found.values() for at, value in curve if (value >= target if mode == "max" else value <= target)
    ]
    return min(reached, default=None)


def _best(assignment: Assignment) -> float:
    with launched(RANDOM, assignment, TIMEOUT_S) as launch:
        found = curves(launch.folder, assignment.metric)
        assert len(found) == assignment.n_trials, f"{len(found)} of {assignment.n_trials} trials"
        values = [value for curve in found.values() for _, value in curve]
    return max(values) if assignment.mode == "max" else min(values)
