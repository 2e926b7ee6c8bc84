"""The median stopping rule."""

import math

import pytest

from tune.search.schedulers.median import MedianStopping
from tune.search.schedulers.scheduler import SchedulerDecision

GO_ON, STOP = SchedulerDecision.GO_ON, SchedulerDecision.STOP


def told(rule, *curves):
    """Report whole curves, one trial after the other."""
    return [
        [rule.on_trial_result(trial, epoch, value) for epoch, value in enumerate(curve, 1)]
        for trial, curve in enumerate(curves)
    ]


def test_a_trial_ends_when_its_best_is_behind_the_median_of_the_averages_of_the_others():
    rule = MedianStopping("max")
    told(rule, [1.0, 1.0], [2.0, 4.0], [5.0, 5.0])  # averages after 2 epochs: 1, 3, 5

    assert [rule.on_trial_result(3, epoch, value) for epoch, value in ((1, 2.5), (2, 2.9))] == [GO_ON, STOP]
    assert [rule.on_trial_result(4, epoch, value) for epoch, value in ((1, 2.6), (2, 0.0))] == [GO_ON, STOP]


def test_a_trial_as_good_as_the_median_goes_on():
    rule = MedianStopping("max")
    told(rule, [1.0], [2.0], [3.0])

    assert rule.on_trial_result(3, 1, 2.0) is GO_ON


def test_less_is_better_where_the_mode_is_min():
    rule = MedianStopping("min")
    told(rule, [1.0], [2.0], [3.0])

    assert rule.on_trial_result(3, 1, 2.1) is STOP


def test_its_best_epoch_counts_not_its_last():
    rule = MedianStopping("max")
    told(rule, [2.0, 2.0], [2.0, 2.0], [2.0, 2.0])

    assert [rule.on_trial_result(3, 1, 9.0), rule.on_trial_result(3, 2, 0.0)] == [GO_ON, GO_ON]


def test_nobody_is_judged_before_the_grace_period_or_by_too_few_others():
    late = MedianStopping("max", grace_period=2)
    assert told(late, [3.0, 3.0], [3.0, 3.0], [3.0, 3.0], [0.0, 0.0])[3] == [GO_ON, STOP]

    many = MedianStopping("max", min_samples_required=4)
    assert told(many, [3.0], [3.0], [3.0], [0.0], [0.0])[3:] == [[GO_ON], [STOP]]


def test_only_those_that_came_as_far_are_compared_with():
    rule = MedianStopping("max")
    told(rule, [9.0], [9.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0])

    assert rule.on_trial_result(5, 2, 1.0) is GO_ON


def test_a_metric_that_is_not_finite_ends_the_trial_and_is_no_sample():
    rule = MedianStopping("max", min_samples_required=1)

    assert [rule.on_trial_result(0, 1, value) for value in (math.nan, math.inf)] == [STOP, STOP]
    assert rule.on_trial_result(1, 1, -5.0) is GO_ON


@pytest.mark.parametrize(
    "fails", [lambda rule: rule.on_trial_end(0, failed=True), lambda rule: rule.on_trial_result(0, 2, math.nan)]
)
def test_a_failed_trial_is_no_sample(fails):
    rule = MedianStopping("max", min_samples_required=1)
    rule.on_trial_result(0, 1, 9.0)

    fails(rule)

    assert rule.on_trial_result(1, 1, 1.0) is GO_ON


def test_a_trial_that_ended_otherwise_stays_a_sample():
    rule = MedianStopping("max", min_samples_required=1)
    rule.on_trial_result(0, 1, 9.0)

    rule.on_trial_end(0)

    assert rule.on_trial_result(1, 1, 1.0) is STOP
