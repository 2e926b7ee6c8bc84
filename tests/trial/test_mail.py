"""Epochs that no decision waits for travel together; none is lost, and none that decides waits."""

import math

import pytest

from tune.trial.messages import EpochReport
from tune.trial.process.channel import TOGETHER_S, EpochReporter


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Sent(list):
    """What a driver hears, and answers: it stops with the epochs named."""

    def __init__(self, *stops):
        super().__init__()
        self.stops = stops

    def __call__(self, epochs):
        self.append([each.epoch for each in epochs])
        return self[-1][-1] in self.stops


def numbers(epochs):
    return [each.epoch for each in epochs]


def mail(judged_at, *stops):
    sent, clock = Sent(*stops), Clock()
    return EpochReporter(sent, judged_at, clock), sent, clock


@pytest.mark.parametrize(
    ("judged_at", "expected", "held"),
    [
        ((), [], [1, 2, 3, 4, 5, 6]),
        (None, [[1], [2], [3], [4], [5], [6]], []),
        ((1, 4), [[1], [2, 3, 4]], [5, 6]),
        ((3,), [[1, 2, 3]], [4, 5, 6]),
        ((6,), [[1, 2, 3, 4, 5, 6]], []),
    ],
)
def test_what_decides_is_told_at_once_with_all_that_waits(judged_at, expected, held):
    post, sent, _ = mail(judged_at)
    assert [post.report_epoch(EpochReport(epoch, 0.5, epoch == 6, ())) for epoch in range(1, 7)] == [False] * 6
    assert sent == expected
    assert numbers(post.held) == held


def test_a_rung_between_two_epochs_is_reached_with_the_later_one():
    post, sent, _ = mail((3,))
    for epoch in (2, 4, 6):
        post.report_epoch(EpochReport(epoch, 0.5, False, ()))
    assert sent == [[2, 4]]
    assert numbers(post.held) == [6]


def test_each_rung_makes_one_epoch_matter_where_a_trial_leaps_over_several():
    post, sent, _ = mail((1, 3, 9, 27))
    for epoch in (10, 20, 30, 40, 50, 60):
        post.report_epoch(EpochReport(epoch, 0.5, False, ()))
    assert sent == [[10], [20], [30], [40]]
    assert numbers(post.held) == [50, 60]


def test_a_stopped_trial_asks_nothing_more():
    post, sent, _ = mail(None, 1)
    assert [post.report_epoch(EpochReport(epoch, 0.5, False, ())) for epoch in (1, 2, 3)] == [True, True, True]
    assert sent == [[1]]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_told_at_once(value):
    post, sent, _ = mail((), 2)
    assert not post.report_epoch(EpochReport(1, 0.5, False, ()))
    assert post.report_epoch(EpochReport(2, value, False, ()))
    assert sent == [[1, 2]]


def test_nothing_waits_longer_than_that_when_the_next_epoch_comes():
    post, sent, clock = mail(())
    for epoch in range(1, 6):
        clock.now += 0.4 * TOGETHER_S
        post.report_epoch(EpochReport(epoch, 0.5, False, ()))
    assert sent == [[1, 2, 3]]
    clock.now += TOGETHER_S
    post.report_epoch(EpochReport(6, 0.5, False, ()))
    assert sent == [[1, 2, 3], [4, 5, 6]]


def test_the_answer_to_epochs_that_were_told_together_is_a_stop():
    post, sent, _ = mail((3,), 3)
    assert [post.report_epoch(EpochReport(epoch, 0.5, False, ())) for epoch in (1, 2, 3)] == [False, False, True]
    assert post.stopped
    assert sent == [[1, 2, 3]]


def test_the_rest_is_whole():
    post, _, _ = mail(())
    post.report_epoch(EpochReport(1, 0.25, True, (3.0,)))
    assert post.held == [EpochReport(1, 0.25, True, (3.0,))]
