"""The breakdown of a search's time: every second of every worker is in one of its parts."""

import pytest

from tune.experiment.records import IDLE, START, TRAINING, Lap
from tune.results.profile import sum_laps, time_columns, time_rows


def lap(worker, began, ended, session=100.0):
    return Lap(worker=worker, session=session, began=began, ended=ended, parts={TRAINING: ended - began})


def test_time_before_a_worker_and_behind_its_last_trial_is_counted():
    found = sum_laps([lap("h:1", 103, 110), lap("h:2", 104, 107), lap("h:1", 110, 120)])

    assert found.workers == (
        {START: 3, TRAINING: 17, IDLE: 0},
        {START: 4, TRAINING: 3, IDLE: 13},
    )
    assert found.wall_s == (20, 20)


def test_a_worker_that_died_when_another_replaces_it_then_its_time_is_that_of_waiting_for_one():
    found = sum_laps([lap("h:1", 103, 110), lap("h:2", 103, 130), lap("h:3", 118, 125)])

    assert found.workers[0] == {START: 3 + 8, TRAINING: 7 + 7, IDLE: 5}
    assert found.wall_s == (30, 30)


def test_a_search_when_it_went_on_later_then_the_pause_is_nobodys_time():
    found = sum_laps([lap("h:1", 101, 110), lap("h:9", 902, 905, session=900.0)])

    assert found.workers == ({START: 3, TRAINING: 12, IDLE: 0},)


def test_the_table_shows_shares_that_add_up_and_a_column_for_each_worker():
    found = sum_laps([lap("h:1", 105, 120), lap("h:2", 105, 110)])

    assert time_columns(found) == ("time, s", "share", "all", "worker 1", "worker 2", "what it is")
    assert [row[:5] for row in time_rows(found)] == [
        ("start", "25.0%", "10.00", "5.00", "5.00"),
        ("training", "50.0%", "20.00", "15.00", "5.00"),
        ("idle", "25.0%", "10.00", "0.00", "10.00"),
        ("whole", "100.0%", "40.00", "20.00", "20.00"),
    ]


@pytest.mark.parametrize("n_workers", [1, 9])
def test_the_table_when_one_or_too_many_workers_then_shows_all_together(n_workers):
    found = sum_laps([lap(f"h:{number}", 100, 110) for number in range(n_workers)])

    assert time_columns(found) == ("time, s", "share", "all", "what it is")
    assert {len(row) for row in time_rows(found)} == {4}
