"""How far a search is, and how long it may still take."""

import pytest

from tune.experiment.trial_result import TrialResult, find_best_epoch
from tune.search.controller_api import ObservedController
from tune.search.progress import BestTrial, Progress, estimate_remaining_s
from tune.trial.messages import TrialTask
from tune.trial.reporting import EpochReport


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def progress_of(clock, mode="max", **options):
    return Progress(mode, 10, 2, n_epochs=4, clock=clock, **options)


def task(number, *, preflight=False):
    return TrialTask(number=number, version=f"/exp/{number:03d}", seed=0, preflight=preflight)


def outcome(number, curve, state="complete", mode="max"):
    best = find_best_epoch(curve, mode)
    return TrialResult(
        number=number,
        version=f"{number:03d}",
        values={},
        state=state,
        score=curve.get(best),
        best_epoch=best,
        curve=curve,
        measures={},
        reason=None,
    )


def test_the_best_so_far_is_the_best_epoch_of_any_trial_running_ones_included(clock):
    progress = progress_of(clock, "min")
    progress.on_trial_start(task(0))
    progress.on_epoch(0, 1, 0.5)
    progress.on_trial_start(task(1))
    progress.on_epoch(1, 1, 0.2)
    progress.on_epoch(1, 2, 0.4)
    standing = progress.current_status()

    assert standing.best == BestTrial(version="001", score=0.2, epoch=1)
    assert standing.baseline == BestTrial(version="000", score=0.5, epoch=1)
    assert [(trial.version, trial.done_share) for trial in standing.running] == [("000", 0.25), ("001", 0.5)]
    assert standing.done_share == pytest.approx(0.075)


def test_a_trial_that_failed_leads_no_more(clock):
    progress = progress_of(clock)
    for number, value in ((0, 0.1), (1, 0.9)):
        progress.on_trial_start(task(number))
        progress.on_epoch(number, 1, value)
    progress.on_worker_free(1)
    progress.on_trial_end(outcome(1, {1: 0.9}, "failed"))

    assert progress.current_status().best == BestTrial(version="000", score=0.1, epoch=1)


def test_trials_of_an_earlier_driver_count(clock):
    progress = progress_of(clock, before=[outcome(0, {1: 0.4}), outcome(1, {1: 0.5}, "waiting")])
    standing = progress.current_status()

    assert (standing.n_ended, standing.counts["waiting"]) == (1, 0)
    assert standing.best == BestTrial(version="001", score=0.5, epoch=1)


def test_a_worker_that_died_leaves_its_trial_running_no_more(clock):
    progress = progress_of(clock)
    progress.on_trial_start(task(0))
    progress.on_worker_free(0)
    assert (progress.current_status().running, progress.current_status().n_ended) == ((), 0)


def test_the_time_budget_bounds_what_is_left_and_ends_the_search(clock):
    progress = progress_of(clock, time_budget_s=30.0)
    progress.on_trial_start(task(0))
    clock.now += 10
    progress.on_worker_free(0)
    progress.on_trial_end(outcome(0, {1: 0.4}))
    assert (progress.current_status().left_s, progress.current_status().has_ended) == (20.0, False)
    clock.now += 20
    assert progress.current_status().has_ended


@pytest.mark.parametrize(
    ("ended", "running", "n_waiting", "left"),
    [
        ([], [], 5, None),
        ([], [(3.0, 0.0)], 5, None),
        ([], [(3.0, 0.25)], 0, 9.0),  # a quarter took 3 s
        ([], [(3.0, 0.25)], 4, 28.5),  # and four more of 12 s, on two workers
        ([10.0, 10.0], [], 4, 20.0),
        ([10.0, 10.0], [(4.0, 0.0)], 0, 6.0),
        ([10.0], [(50.0, 0.0)], 0, 0.0),  # longer than usual: nobody knows
        ([90.0, 90.0, 10.0, 10.0, 10.0], [], 2, 10.0),  # the first ones imported torch
    ],
)
def test_what_is_left_follows_from_how_long_trials_take(ended, running, n_waiting, left):
    found = estimate_remaining_s(ended=ended, running=running, n_waiting=n_waiting, concurrency=2)
    assert found == (None if left is None else pytest.approx(left))


class Leads:
    """A director of one trial, which it stops after its second epoch."""

    has_finished, is_aborted, is_end_requested = False, False, False

    def request_end(self):
        self.is_end_requested = True

    def next_task(self, trial_id):
        return task(7) if trial_id == "a" else None

    def receive_epochs(self, trial_id, epochs):
        return epochs[-1].epoch == 2

    def on_trial_end(self, trial_id, *, death, rest=(), is_refused=False):
        self.left = trial_id


class Hears(list):
    def __getattr__(self, name):
        return lambda *given: self.append((name, *given))


def test_who_looks_on_hears_of_all_and_changes_nothing():
    leads, hears = Leads(), Hears()
    controller = ObservedController(leads, hears)

    assert controller.next_task("a") == task(7)
    assert controller.next_task("b") is None
    assert [controller.receive_epochs("a", [EpochReport(epoch, 0.5)]) for epoch in (1, 2)] == [False, True]
    controller.on_trial_end("a", death=None, rest=[EpochReport(3, 0.6)])
    controller.on_trial_end("b", death="")
    controller.request_end()

    assert (leads.left, controller.is_end_requested, controller.has_finished, controller.is_aborted) == (
        "b",
        True,
        False,
        False,
    )
    assert hears == [
        ("on_trial_start", task(7)),
        ("on_epoch", 7, 1, 0.5),
        ("on_epoch", 7, 2, 0.5),
        ("on_epoch", 7, 3, 0.6),
        ("on_worker_free", 7),
        ("on_search_ending",),
    ]
