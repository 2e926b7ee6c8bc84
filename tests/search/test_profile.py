"""A profiled search on a real Ray: the parts of each worker's time add up to the time that the search took."""

import time

import pytest

from tests.projects import write_program
from tune.experiment.open import open_experiment
from tune.experiment.records import CHECKING, CHECKPOINTS, DATA, IDLE, PROGRAM, START, TRAINING, VALIDATION, WAITING
from tune.results.profile import read_profile
from tune.results.report.build_report import build_page

SPACE = """
metric: Score/Val
mode: max
constants:
  LR: {uniform: [0.0, 0.1]}
trials: 4
concurrency: 2
scheduler: none
"""


@pytest.fixture(scope="module")
def profiled(search, tmp_path_factory):
    folder = tmp_path_factory.mktemp("profiled")
    ends, began = [], time.time()
    searched = search(
        write_program(folder / "project", "paced"), SPACE, session=began, on_end=lambda _: ends.append(time.time())
    )
    experiment = open_experiment(str(searched.paths.folder), folder)
    return experiment, read_profile(experiment.trials, experiment.paths), ends[-1] - began


@pytest.mark.slow
def test_the_parts_of_each_worker_add_up_to_the_wall_time(profiled):
    _, found, wall_s = profiled

    assert found.wall_s == pytest.approx([wall_s, wall_s], rel=0.05)


def test_most_of_it_was_measured_by_the_trials_and_not_filled_in(profiled):
    experiment, found, _ = profiled
    records = [experiment.paths.version(each.version).record.read_text() for each in experiment.trials]

    assert all('"laps": [{' in record for record in records)
    assert {CHECKING, PROGRAM, DATA, TRAINING, VALIDATION, CHECKPOINTS, WAITING} <= found.total_seconds.keys()
    assert found.total_seconds[TRAINING] >= 4 * 4 * 0.2  # of four trials' four epochs
    rest_s = sum(found.wall_s) - found.total_seconds[START]  # the start takes as long as a machine needs to import
    assert found.total_seconds.get(IDLE, 0.0) < rest_s / 2


def test_the_report_shows_it(profiled):
    experiment, found, _ = profiled

    rows = build_page(experiment).time_rows

    assert [row[0] for row in rows] == [*found.total_seconds, "whole"]
