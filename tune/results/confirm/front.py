"""Several metrics: each trial of the Pareto front beside the hardcoded values, on fresh seeds and in each metric.

No trial of a front is the best one, so there is no race. All intervals hold together (Bonferroni), so that any of them
may be picked out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tune.experiment.records import RetrainRequest
from tune.experiment.trial_result import BASELINE
from tune.results.retrain_results import RetrainedVersion, find_latest
from tune.results.verdict import SeedRun, Verdict, judge_gain
from tune.space.space import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberVerdict:
    """A trial of the front against the hardcoded values, in one metric."""

    trial: int
    metric: str
    verdict: Verdict


def judge_front(
    retrained: Sequence[RetrainedVersion],
    request: RetrainRequest,
    trials: Sequence[int],
    seeds: Sequence[int],
    objectives: Sequence[Objective],
    error_rate: float,
) -> tuple[MemberVerdict, ...]:
    """Return the verdict on each trial in each metric, by trial; a score is that of the first metric's best epoch.

    ``request``: of one of the runs. ``error_rate``: of all intervals together.
    """

    def read_runs(trial: int, place: int) -> dict[int, SeedRun]:
        found = {seed: find_latest(retrained, replace(request, trial=trial, seed=seed)) for seed in seeds}
        mode = objectives[0].mode
        return {
            seed: SeedRun(curve={}) if each is None else each.metric_run(place, mode) for seed, each in found.items()
        }

    n_compared = len(trials) * len(objectives)
    return tuple(
        MemberVerdict(
            trial=trial,
            metric=objective.metric,
            verdict=judge_gain(
                read_runs(BASELINE, place),
                read_runs(trial, place),
                objective.mode,
                n_compared=n_compared,
                error_rate=error_rate,
            ),
        )
        for trial in trials
        for place, objective in enumerate(objectives)
    )
