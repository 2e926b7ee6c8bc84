"""What Ray Tune keeps of trials, whose scheduler ours is."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from ray.tune import CLIReporter

from tests.projects import write_program
from tune.cluster.ray_health import StartLimit
from tune.errors import RayLostError
from tune.search.ray_tune import ControllerCallback, ControllerScheduler, ControllerStopper, choose_reporter

SPACE = """
metric: Score/Val
mode: max
constants:
  CASE: {choice: [better, raises, dies]}
  MAX_EPOCHS: {choice: [2, 3, 4]}
sampler: grid
trials: 20
concurrency: 2
max_failures: 0
"""
KEPT = ("_trials", "_live_trials", "_stopped_trials", "_failed_trials", "_trials_to_cache")


class Ended:
    """A trial that is over."""

    def is_finished(self):
        return True


@pytest.fixture
def kept(monkeypatch):
    """Return what fills with the number of trials in each of Ray's records, whenever a trial ends."""
    numbers = []

    def spy(name):
        told = getattr(ControllerScheduler, name)

        def spied(door, controller, *args):
            told(door, controller, *args)
            numbers.append([len(getattr(controller, record)) for record in KEPT])

        monkeypatch.setattr(ControllerScheduler, name, spied)

    spy("on_trial_complete")
    spy("on_trial_error")
    return numbers


def test_ray_forgets_a_trial_once_another_has_ended(search, tmp_path, kept):
    searched = search(write_program(tmp_path / "project", "cases"), SPACE)

    assert searched.error is None
    assert [trial.state.name for trial in searched.study.trials].count("FAIL") == 6
    assert len(kept) == len(searched.study.trials) == 10
    assert max(map(max, kept)) == 2  # the one that ends, and the one that runs beside it


def test_a_search_that_ray_tune_ends_too_early_says_so_and_is_not_over(search, resume, tmp_path, monkeypatch):
    ended = []
    with monkeypatch.context() as patched:
        patched.setattr(ControllerStopper, "stop_all", lambda stopper: bool(ended))
        searched = search(write_program(tmp_path / "project", "cases"), SPACE.replace("20", "4"), on_end=ended.append)

    assert isinstance(searched.finished.fault, RayLostError)
    assert searched.finished.fault.what == "Ray Tune ended before the search did"
    assert len(searched.study.trials) < 4

    resumed = resume(searched.paths)
    assert resumed.finished.fault is None
    assert len(resumed.study.trials) == 4


@pytest.mark.parametrize("name", KEPT)
def test_ray_keeps_a_trial_that_it_may_start_again(name):
    this, other = Ended(), Ended()
    controller = SimpleNamespace(**{each: {this, other} for each in KEPT})

    ControllerScheduler(None).on_trial_error(controller, this)

    assert set(getattr(controller, name)) == {this}


@pytest.mark.parametrize("missing", KEPT)
def test_another_ray_that_lacks_one_of_its_records_is_let_be(missing):
    controller = SimpleNamespace(**{each: {Ended()} for each in KEPT if each != missing})

    ControllerScheduler(None).on_trial_error(controller, Ended())

    assert not hasattr(controller, missing)


def test_a_kernel_gets_a_reporter_of_ray_tunes_that_leaves_the_cells_output_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    assert type(choose_reporter()) is CLIReporter

    monkeypatch.delitem(sys.modules, "ipykernel")
    assert choose_reporter() is None


def test_an_actor_is_waited_for_while_a_trial_wants_one_and_no_more_once_one_has_come():
    limit, wants, runs = StartLimit("actor"), SimpleNamespace(status="PENDING"), SimpleNamespace(status="RUNNING")
    callback = ControllerCallback(SimpleNamespace(handle_requests=lambda: None), limit)

    waited = []
    for trials in ([], [wants], [], [wants]):  # a search that is paused wants none
        callback.on_step_begin(0, trials)
        waited.append(limit.is_waiting)
    assert waited == [False, True, False, True]

    callback.on_trial_start(0, [wants], wants)
    assert not limit.is_waiting
    callback.on_step_begin(1, [runs, wants])  # one waits for the place of another
    assert not limit.is_waiting


def test_on_a_cluster_a_trial_waits_for_its_nodes_for_as_long_as_they_take():
    asked = []
    callback = ControllerCallback(SimpleNamespace(handle_requests=lambda: asked.append(1)), None)
    callback.on_step_begin(0, [SimpleNamespace(status="PENDING")])
    callback.on_trial_start(0, [], SimpleNamespace(status="RUNNING"))

    assert asked == [1]
