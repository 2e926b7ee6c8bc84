"""How far a search is, and how long it may still take."""

from functools import partial

import pytest

from tests.search.test_ledger import ledger  # noqa: F401 - a fixture
from tune.experiment.trial_result import TrialResult, find_best_epoch
from tune.paths import ExperimentPaths
from tune.search.checkpoint_retention import CheckpointRetention
from tune.search.controller import SearchController
from tune.search.controller_api import SearchListener
from tune.search.progress import BestTrial, Progress, estimate_remaining_s
from tune.search.schedulers.pbt import PbtExploit
from tune.search.schedulers.scheduler import TrialScheduler
from tune.search.spec import SearchLimits
from tune.search.steering.controls import SearchControls
from tune.trial.messages import EpochReport, TrialTask


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
    progress.on_epoch(0, EpochReport(1, 0.5))
    progress.on_trial_start(task(1))
    progress.on_epoch(1, EpochReport(1, 0.2))
    progress.on_epoch(1, EpochReport(2, 0.4))
    standing = progress.current_status()

    assert standing.best == BestTrial(version="001", score=0.2, epoch=1)
    assert standing.baseline == BestTrial(version="000", score=0.5, epoch=1)
    assert [(trial.version, trial.done_share) for trial in standing.running] == [("000", 0.25), ("001", 0.5)]
    assert standing.done_share == pytest.approx(0.075)


def test_a_trial_that_failed_leads_no_more(clock):
    progress = progress_of(clock)
    for number, value in ((0, 0.1), (1, 0.9)):
        progress.on_trial_start(task(number))
        progress.on_epoch(number, EpochReport(1, value))
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


@pytest.mark.parametrize(
    ("ended", "running", "whole", "left"),
    [
        ([], [(10.0, 0.25)], None, 40 * 0.4 * 19 / 2),  # a whole one takes 40 s; weak ones are stopped
        ([], [], 100.0, 100 * 0.4 * 19 / 2),
        ([10.0], [], 100.0, (10 + 2 * 40) / 3 * 19 / 2),
        ([10.0, 10.0, 10.0], [], 100.0, 10 * 19 / 2),  # now it is known
        ([10.0], [], None, 10 * 19 / 2),
    ],
)
def test_trials_that_a_scheduler_may_stop_are_not_taken_for_whole_ones(ended, running, whole, left):
    found = estimate_remaining_s(
        ended=ended, running=running, n_waiting=19, concurrency=2, whole_s=whole, expected_share=0.4
    )
    of_running = sum(max(0.0, 16.0 - spent) for spent, _ in running) / 2
    assert found == pytest.approx(left + of_running)


def test_the_baseline_which_is_never_stopped_says_how_long_a_whole_training_takes(clock):
    progress = progress_of(clock, expected_share=0.4)
    progress.on_trial_start(task(0))
    clock.now += 100
    progress.on_worker_free(0)
    progress.on_trial_end(outcome(0, {1: 0.4}))
    assert progress.current_status().left_s == pytest.approx(9 * 40 / 2)

    progress.on_trial_start(task(1))
    clock.now += 10
    progress.on_worker_free(1)
    progress.on_trial_end(outcome(1, {1: 0.4}, "pruned"))
    assert progress.current_status().left_s == pytest.approx(8 * (10 + 2 * 40) / 3 / 2)


class Calls(SearchListener):
    """Notes how it is called."""

    def __init__(self):
        self.seen = []
        for name in dir(SearchListener):
            if name.startswith("on_"):
                setattr(self, name, partial(self.note, name))

    def note(self, name, *given):
        self.seen.append((name, *given))


def test_listeners_are_called_in_the_order_of_what_happens(ledger, tmp_path):  # noqa: F811
    listener, book = Calls(), ledger()
    limits = SearchLimits(trials=2, concurrency=1, max_failures=0)
    paths = ExperimentPaths(tmp_path / "exp")
    exploit = PbtExploit(book, {}, 0)
    controller = SearchController(
        paths,
        book,
        rule=TrialScheduler(),
        pbt_exploit=exploit,
        retention=CheckpointRetention(paths, ["max"], None),
        controls=SearchControls(limits, book),
        seed=0,
        on_preflight_failed=lambda: None,
        on_death=lambda *_: None,
        listeners=[listener],
    )

    first = controller.next_task("a")
    assert controller.next_task("b") is None  # there is no room
    assert [controller.receive_epochs("a", [EpochReport(epoch, 0.5)]) for epoch in (1, 2)] == [False, False]
    controller.on_trial_end("a", death=None, rest=[EpochReport(3, 0.6)])
    controller.on_trial_end("b", death="")
    controller.request_end()

    outcome = listener.seen[-3][1]
    assert (outcome.number, outcome.curve) == (0, {1: 0.5, 2: 0.5, 3: 0.6})
    assert listener.seen == [
        ("on_trial_start", first),
        ("on_epoch", 0, EpochReport(1, 0.5)),
        ("on_epoch", 0, EpochReport(2, 0.5)),
        ("on_epoch", 0, EpochReport(3, 0.6)),
        ("on_trial_end", outcome),
        ("on_worker_free", 0),
        ("on_search_ending",),
    ]
