"""HyperBand: brackets, their milestones, and who goes on."""

import math

import pytest

from tune.search.schedulers.hyperband import HyperBand
from tune.search.schedulers.scheduler import SchedulerDecision, SchedulerMove

GO_ON, STOP, PAUSE = SchedulerDecision.GO_ON, SchedulerDecision.STOP, SchedulerDecision.PAUSE


def opened(rule, n):
    for trial in range(n):
        rule.on_trial_add(trial)
    return rule


def test_all_but_the_last_of_a_bracket_wait_at_its_milestone_then_the_best_third_goes_on():
    rule = opened(HyperBand("max", max_t=9), 9)

    verdicts = [rule.on_trial_result(trial, 1, float(trial)) for trial in range(9)]

    assert verdicts == [PAUSE] * 8 + [GO_ON]
    assert rule.take_moves() == [SchedulerMove(trial=trial, goes_on=trial >= 6) for trial in range(8)]
    assert rule.take_moves() == []


def test_less_is_better_where_the_mode_is_min():
    rule = opened(HyperBand("min", max_t=9), 9)

    assert [rule.on_trial_result(trial, 1, float(trial)) for trial in range(9)][-1] is STOP
    assert [move.trial for move in rule.take_moves() if move.goes_on] == [0, 1, 2]


def test_the_best_go_from_milestone_to_milestone_and_the_last_of_all_to_its_end():
    rule = opened(HyperBand("max", max_t=9), 9)
    for trial in range(9):
        rule.on_trial_result(trial, 1, float(trial))
    rule.take_moves()

    assert [rule.on_trial_result(trial, 3, float(trial)) for trial in (6, 7, 8)] == [PAUSE, PAUSE, GO_ON]
    assert rule.take_moves() == [SchedulerMove(trial=6, goes_on=False), SchedulerMove(trial=7, goes_on=False)]
    assert [rule.on_trial_result(8, epoch, 0.0) for epoch in range(4, 10)] == [GO_ON] * 6


def milestones(rule, trial, last):
    """Return where a trial that waits alone in its bracket would wait for others."""
    return [epoch for epoch in range(1, last + 1) if rule.on_trial_result(trial, epoch, 1.0) is not GO_ON]


def test_brackets_have_the_sizes_and_milestones_of_the_paper():
    rule = opened(HyperBand("max", max_t=81), 81 + 34 + 15 + 8 + 5 + 1)

    assert rule.on_trial_result(0, 1, 0.0) is PAUSE  # 81 trials from 1 epoch
    assert [rule.on_trial_result(81, epoch, 0.0) for epoch in (2, 3)] == [GO_ON, PAUSE]  # 34 from 3
    assert [rule.on_trial_result(81 + 34, epoch, 0.0) for epoch in (8, 9)] == [GO_ON, PAUSE]  # 15 from 9
    assert [rule.on_trial_result(81 + 34 + 15, epoch, 0.0) for epoch in (26, 27)] == [GO_ON, PAUSE]  # 8 from 27
    assert milestones(rule, 81 + 34 + 15 + 8, 81) == []  # 5 to their end
    assert rule.on_trial_result(81 + 34 + 15 + 8 + 5, 1, 0.0) is PAUSE  # and from the start


def test_power_of_243_is_counted_whole():
    assert opened(HyperBand("max", max_t=243), 1).on_trial_result(0, 1, 0.0) is PAUSE


def test_a_trial_that_ends_before_the_milestone_is_not_waited_for():
    rule = opened(HyperBand("max", max_t=3), 3)
    rule.on_trial_result(0, 1, 1.0)
    rule.on_trial_result(1, 1, 2.0)

    rule.on_trial_end(2)

    assert rule.take_moves() == [SchedulerMove(trial=0, goes_on=False), SchedulerMove(trial=1, goes_on=True)]


def test_a_metric_that_is_not_finite_ends_the_trial_and_frees_the_others():
    rule = opened(HyperBand("max", max_t=3), 3)
    rule.on_trial_result(0, 1, 1.0)
    rule.on_trial_result(1, 1, 2.0)

    assert rule.on_trial_result(2, 1, float("nan")) is STOP
    assert [move.trial for move in rule.take_moves() if move.goes_on] == [1]


def test_a_trial_that_came_to_its_end_at_the_milestone_keeps_its_place_and_is_not_moved():
    rule = opened(HyperBand("max", max_t=3), 3)
    rule.on_trial_result(0, 1, 9.0)
    rule.on_trial_end(0)

    assert [rule.on_trial_result(trial, 1, float(trial)) for trial in (1, 2)] == [PAUSE, STOP]
    assert rule.take_moves() == [SchedulerMove(trial=1, goes_on=False)]


@pytest.mark.parametrize(
    "fails", [lambda rule: rule.on_trial_end(0, failed=True), lambda rule: rule.on_trial_result(0, 2, math.nan)]
)
def test_a_trial_that_failed_after_the_milestone_has_no_place_in_its_bracket(fails):
    rule = opened(HyperBand("max", max_t=3), 3)
    rule.on_trial_result(0, 1, 9.0)

    fails(rule)

    assert [rule.on_trial_result(trial, 1, float(trial)) for trial in (1, 2)] == [PAUSE, GO_ON]
    assert rule.take_moves() == [SchedulerMove(trial=1, goes_on=False)]


def test_a_bracket_that_no_trial_will_fill_is_halved_as_it_is():
    rule = opened(HyperBand("max", max_t=9), 4)
    for trial in range(4):
        assert rule.on_trial_result(trial, 1, float(trial)) is PAUSE

    rule.mark_no_more_trials()

    assert [move.trial for move in rule.take_moves() if move.goes_on] == [3]


def test_after_a_seal_new_trials_get_a_bracket_of_their_own():
    rule = opened(HyperBand("max", max_t=9), 2)
    rule.mark_no_more_trials()
    rule.on_trial_add(2)

    assert [rule.on_trial_result(trial, 1, float(trial)) for trial in (0, 1)] == [PAUSE, GO_ON]
    assert [rule.on_trial_result(2, epoch, 5.0) for epoch in (2, 3)] == [
        GO_ON,
        PAUSE,
    ]  # the next bracket waits at 3 epochs


@pytest.mark.parametrize("epochs", [(2, 4), (5, 8)])
def test_where_not_every_epoch_is_validated_the_first_behind_a_milestone_counts(epochs):
    rule = opened(HyperBand("max", max_t=9), 9)

    assert rule.on_trial_result(0, epochs[0], 1.0) is PAUSE
