"""Where a worker's time goes: at every moment one part counts, so that all parts add up."""

import time
from dataclasses import replace

import pytest

from tests.processes import run_in_process
from tune.experiment.records import DATA, IDLE, PROGRAM, START, TRAINING, VALIDATION, WAITING, read_record
from tune.paths import VersionPaths
from tune.trial.lightning.profiler import Stopwatch
from tune.trial.messages import TrialTask

REPORT_S = 0.1
PACE_S, MAX_EPOCHS = 0.2, 4  # as the program has it


def test_parts_when_they_lie_inside_of_each_other_then_the_innermost_counts():
    stopwatch = Stopwatch(session=0.0)

    with stopwatch.time_part(PROGRAM):
        time.sleep(0.02)
        with stopwatch.time_part(DATA):
            time.sleep(0.05)
    lap = stopwatch.finish_lap()

    assert lap.parts[PROGRAM] >= 0.02
    assert lap.parts[DATA] >= 0.05
    assert sum(lap.parts.values()) == pytest.approx(lap.ended - lap.began, abs=0.01)


def test_what_was_left_open_when_its_part_is_over_then_counts_no_more():
    stopwatch = Stopwatch(session=0.0)

    with stopwatch.time_part(PROGRAM):
        stopwatch.enter_part(TRAINING)  # as an action that raises, and whose end is not told
    stopwatch.finish_lap()

    time.sleep(0.02)
    assert stopwatch.finish_lap().parts.keys() == {START}


def test_one_that_was_handed_over_goes_on_and_the_first_one_goes_on_behind_its_lap():
    first = Stopwatch(session=0.0)
    time.sleep(0.02)
    second = Stopwatch(0.0, first.hand_over())
    with second.time_part(PROGRAM):
        time.sleep(0.02)
    lap = second.finish_lap()
    first.take_back(*second.lap_ended)

    assert lap.parts.keys() == {START, PROGRAM, IDLE}
    assert sum(lap.parts.values()) == pytest.approx(lap.ended - lap.began, abs=0.01)
    assert (first.finish_lap().began, first.finish_lap().worker) == (lap.ended, lap.worker)


def test_laps_follow_each_other_without_a_gap():
    stopwatch = Stopwatch(session=7.0)

    first, second = stopwatch.finish_lap(), stopwatch.finish_lap()

    assert (first.ended, first.session) == (second.began, 7.0)


@pytest.fixture
def profiled(worker, server):
    """Return what runs a trial of a paced program in a session."""
    held = worker("paced")

    def run(session):
        task = TrialTask(number=0, version=str(held.storage / "000"), seed=0)
        run_in_process(server, replace(held.job, session=session), task, answer=lambda _: time.sleep(REPORT_S))
        return read_record(VersionPaths(held.storage / "000"))

    return run


def test_a_trial_when_it_is_profiled_then_says_where_its_time_went(profiled):
    began = time.time()

    (lap,) = profiled(began).laps

    assert began <= lap.began < lap.ended <= time.time()
    assert sum(lap.parts.values()) == pytest.approx(lap.ended - lap.began, rel=0.05)
    assert lap.parts[TRAINING] >= MAX_EPOCHS * PACE_S
    assert MAX_EPOCHS * REPORT_S <= lap.parts[WAITING] < MAX_EPOCHS * REPORT_S + 0.1
    assert {PROGRAM, DATA, VALIDATION} <= lap.parts.keys()


def test_a_trial_when_it_is_not_profiled_then_says_nothing(profiled):
    assert profiled(None).laps == []
