"""When the epochs of a worker's trials end."""

from tune.trial.messages import EpochReport
from tune.trial.process.channel import EpochClock, EpochReporter


def clock_of(before, *moments, counts=True):
    left = list(moments)
    return EpochClock(before, lambda: left.pop(0), counts=counts)


def test_each_epoch_has_its_end_and_that_of_the_trial_before():
    clock = clock_of(10.0, 16.0, 18.0)

    assert [clock.read_times(), clock.read_times()] == [(16.0, 10.0), (18.0, 10.0)]


def test_a_workers_first_trial_has_none_before():
    assert clock_of(None, 16.0).read_times() == (16.0, None)


def test_one_that_goes_on_says_nothing():
    assert clock_of(10.0, counts=False).read_times() == (None, None)


def test_epochs_are_told_with_their_ends():
    told = []
    mail = EpochReporter(told.extend, None, epochs=clock_of(1.0, 3.0, 4.0))
    mail.report_epoch(EpochReport(1, 0.5, False, ()))
    mail.report_epoch(EpochReport(2, 0.5, True, ()))

    assert [(each.at, each.before) for each in told] == [(3.0, 1.0), (4.0, 1.0)]
