"""Confirm a search: run what its confirmation needs, as long as it needs more."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tune.cluster.resources import Resources
from tune.experiment.lock import lock_verdicts
from tune.experiment.open import StoredExperiment
from tune.experiment.records import RetrainRequest
from tune.experiment.trial_result import TrialResult
from tune.experiment.verdicts import VerdictRecord, note_choice, write_verdict
from tune.results.confirm.confirmation import Confirmation, judge_confirmation
from tune.results.confirm.plan import build_request, plan_confirmation
from tune.results.retrain_results import RetrainedVersion, find_latest, read_retrained
from tune.retrain.plan import RetrainPlan, divide_runs
from tune.search.controller_api import SearchListener, notify_listeners
from tune.search.retrain import RetrainRun, run_retraining
from tune.space.settings import Confirm
from tune.trial.disk_space import translate_disk_full

Runs = Sequence[tuple[int, int]]
"""Each as a trial and a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationPlan:
    """A confirmation that is to be run, or to go on. The caller holds the lock of the retrained versions."""

    retraining: RetrainPlan
    """Its first runs, as many as run at a time."""
    confirmation: Confirmation
    """What is known before them."""
    lost: set[tuple[int, int]] = field(default_factory=set)
    """Runs whose process died once too often, as trial and seed."""

    @property
    def most_runs(self) -> int:
        """How many runs there are at most, those that are there already left out, and those of a second look."""
        record = self.confirmation.record
        n_race = len(record.trials) * len(record.race_seeds) if len(record.trials) > 1 else 0
        n_judged = len(record.trials) if self.retraining.space.others else 1
        n_more = self.n_more_runs if self.is_second_look else 0
        return n_race + (1 + n_judged) * len(record.seeds) + n_more - self.n_reused

    @property
    def n_more_runs(self) -> int:
        """How many runs a second look has; 0: there is none."""
        return 2 * len(self.confirmation.record.more_seeds)

    @property
    def is_second_look(self) -> bool:
        """Whether the second look has begun, or begins now."""
        there = (seed for runs in self.confirmation.runs.values() for seed in runs)
        return _has_any([*there, *(seed for _, seed in self.confirmation.needed)], self.confirmation.record.more_seeds)

    @property
    def n_reused(self) -> int:
        """How many runs are there already."""
        return sum(map(len, self.confirmation.runs.values()))

    def run(
        self,
        on_run_end: Callable[[RetrainRun, RetrainedVersion], None],
        listeners: Sequence[SearchListener] = (),
    ) -> Confirmation:
        """Run what is needed, and return what came of it: with runs that are still needed where it was interrupted.

        ``on_run_end`` hears of each run that came to its end. Raises what ``run_retraining`` does.
        """
        planned = self.retraining
        planned = replace(planned, runs=tuple(self._evaluate_verdict_runs(planned)))
        begun = {(each.request.trial, each.request.seed) for each in planned.runs}
        running = set(begun)
        is_told = self.is_second_look

        def go_on(run: RetrainRun) -> list[RetrainRun]:
            nonlocal is_told
            running.discard((run.request.trial, run.request.seed))
            retrained = read_retrained(planned.experiment.paths)
            found = find_latest(retrained, run.request)
            if found is not None and (found.is_complete or found.has_failed):
                on_run_end(run, found)
            else:
                self.lost.add((run.request.trial, run.request.seed))
            more = [each for each in self._judge(retrained).needed if each not in begun]
            more = more[: planned.resources.concurrency - len(running)]
            if not is_told and _has_any([seed for _, seed in more], self.confirmation.record.more_seeds):
                is_told = True
                notify_listeners(listeners, SearchListener.on_limits_changed, self.n_more_runs, None, None)
            begun.update(more)
            running.update(more)
            return self._evaluate_verdict_runs(divide_runs(planned, _with_requests(planned.experiment, more)))

        if planned.runs:
            run_retraining(planned.build_retraining(go_on, listeners, is_steered=True))
        confirmation = self._judge(read_retrained(planned.experiment.paths))
        with translate_disk_full(planned.experiment.paths.folder):
            record = note_choice(planned.experiment.paths, confirmation.record, confirmation.chosen)
        return replace(confirmation, record=record)

    def _evaluate_verdict_runs(self, planned: RetrainPlan) -> list[RetrainRun]:
        """Return the runs; those of the race do not look at data that the search never saw."""
        record = self.confirmation.record
        seeds = (*record.seeds, *record.more_seeds)
        return [replace(each, evaluates=each.request.seed in seeds) for each in planned.runs]

    def _judge(self, retrained: Sequence[RetrainedVersion]) -> Confirmation:
        return judge_confirmation(self.retraining.experiment, self.confirmation.record, retrained, self.lost)


def _has_any(seeds: Sequence[int], of: Sequence[int]) -> bool:
    return not set(seeds).isdisjoint(of)


def plan_confirmation_runs(
    experiment: StoredExperiment, resources: Resources, confirm: Confirm, ends_at: float | None = None
) -> ConfirmationPlan | None:
    """Return the confirmation of a search, which is in the experiment's files now; None: no trial was better.

    ``ends_at``: when the time budget is over, by ``time.monotonic``; None where no search ran in it.
    """
    left_s = None if ends_at is None else ends_at - time.monotonic()
    with translate_disk_full(experiment.paths.folder), lock_verdicts(experiment.paths):
        record = plan_confirmation(experiment, confirm, resources.concurrency, left_s)
        if record is None:
            return None
        write_verdict(experiment.paths, record)
    with translate_disk_full(experiment.paths.folder):
        confirmation = judge_confirmation(experiment, record, read_retrained(experiment.paths))
        planned = create_plan(experiment, resources, record)
        urgent = confirmation.needed[: resources.concurrency]  # what comes of them may make others needless
        planned = divide_runs(planned, _with_requests(experiment, urgent))
    return ConfirmationPlan(retraining=planned, confirmation=confirmation)


def create_plan(experiment: StoredExperiment, resources: Resources, record: VerdictRecord) -> RetrainPlan:
    """Return a retraining of a confirmation's trials, without any run."""
    trials = {each.number: each for each in experiment.trials}
    return RetrainPlan(
        experiment=experiment,
        space=experiment.space,
        snapshot=experiment.snapshot,
        resources=resources,
        trials=tuple(trials[number] for number in record.trials),
        seeds=record.seeds,
        requests=(),
        reused=(),
        runs=(),
    )


def _with_requests(experiment: StoredExperiment, runs: Runs) -> list[tuple[TrialResult, RetrainRequest]]:
    trials = {each.number: each for each in experiment.trials}
    request = build_request(experiment)
    return [(trials[trial], replace(request, trial=trial, seed=seed)) for trial, seed in runs]
