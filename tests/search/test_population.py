"""Population Based Training: who takes over from whom."""

import math

from tune.search.schedulers.pbt import PopulationBasedTraining
from tune.search.schedulers.scheduler import SchedulerDecision, SchedulerMove

GO_ON, STOP, PAUSE = SchedulerDecision.GO_ON, SchedulerDecision.STOP, SchedulerDecision.PAUSE


def population(n, **arguments):
    rule = PopulationBasedTraining("max", **{"seed": 0, "perturbation_interval": 1, **arguments})
    for trial in range(n):
        rule.on_trial_add(trial)
    rule.mark_no_more_trials()
    return rule


def test_at_a_milestone_the_worst_quarter_takes_over_from_the_best_and_all_go_on():
    rule = population(8)

    verdicts = [rule.on_trial_result(trial, 1, float(trial)) for trial in (7, 6, 0, 1, 2, 3, 4, 5)]
    moves = rule.take_moves()

    assert verdicts == [PAUSE] * 7 + [GO_ON]  # the last one needs no turn of its own
    assert [move.trial for move in moves] == [0, 1, 2, 3, 4, 6, 7]
    assert all(move.goes_on for move in moves)
    assert {move.trial: move.donor in (6, 7) for move in moves if move.donor is not None} == {0: True, 1: True}


def test_the_last_to_arrive_waits_too_when_it_takes_over():
    rule = population(4)

    assert [rule.on_trial_result(trial, 1, 4.0 - trial) for trial in range(4)] == [PAUSE] * 4
    assert SchedulerMove(trial=3, goes_on=True, donor=0) in rule.take_moves()


def test_milestones_come_every_perturbation_interval():
    rule = population(2, perturbation_interval=3)

    assert [rule.on_trial_result(0, epoch, 1.0) for epoch in (1, 2, 3)] == [GO_ON, GO_ON, PAUSE]
    assert [rule.on_trial_result(1, epoch, 2.0) for epoch in (1, 2, 3)] == [GO_ON, GO_ON, GO_ON]
    assert [rule.on_trial_result(1, epoch, 2.0) for epoch in (4, 5, 6)] == [GO_ON, GO_ON, PAUSE]


def test_one_seed_gives_the_same_moves_whoever_arrives_first():
    def moves(order, seed):
        rule = population(12, seed=seed, quantile_fraction=0.5)
        for trial in order:
            rule.on_trial_result(trial, 1, float(trial))
        return {move.trial: move.donor for move in rule.take_moves() if move.donor is not None}

    assert moves(range(12), 1) == moves(reversed(range(12)), 1)
    assert moves(range(12), 1) != moves(range(12), 2)


def test_a_member_that_failed_is_not_waited_for_and_nobody_takes_over_from_it():
    rule = population(3)
    rule.on_trial_result(0, 1, 1.0)
    rule.on_trial_result(1, 1, 2.0)

    assert rule.on_trial_result(2, 1, math.nan) is STOP
    assert rule.take_moves() == [SchedulerMove(trial=0, goes_on=True, donor=1), SchedulerMove(trial=1, goes_on=True)]


def test_one_member_alone_goes_on_by_itself():
    rule = population(1)

    assert [rule.on_trial_result(0, epoch, 1.0) for epoch in (1, 2)] == [GO_ON, GO_ON]


def test_before_the_population_is_whole_nobody_goes_on():
    rule = PopulationBasedTraining("max", seed=0, perturbation_interval=1)
    rule.on_trial_add(0)

    assert rule.on_trial_result(0, 1, 1.0) is PAUSE
    assert rule.take_moves() == []
    rule.mark_no_more_trials()
    assert rule.take_moves() == [SchedulerMove(trial=0, goes_on=True)]
