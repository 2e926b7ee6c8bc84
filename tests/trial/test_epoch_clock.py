"""When the epochs of a worker's trials end."""

from tune.trial.epoch_clock import EpochClock
from tune.trial.mail import EPOCHS, Mail


def clock_of(*moments):
    left = list(moments)
    return EpochClock(lambda: left.pop(0))


def run(clock, n_epochs, *, counts=True):
    clock.begin(counts=counts)
    return [clock.tick() for _ in range(n_epochs)]


def test_each_epoch_has_its_end_and_that_of_the_trial_before():
    clock = clock_of(9.0, 10.0, 16.0, 18.0)

    assert run(clock, 2) == [(9.0, None), (10.0, None)]
    assert run(clock, 2) == [(16.0, 10.0), (18.0, 10.0)]


def test_the_trial_after_one_without_an_epoch_has_none_before():
    clock = clock_of(9.0, 16.0)
    run(clock, 1)
    run(clock, 0)

    assert run(clock, 1) == [(16.0, None)]


def test_one_that_goes_on_says_nothing_and_nor_is_it_one_before():
    clock = clock_of(9.0, 16.0)
    run(clock, 1)

    assert run(clock, 2, counts=False) == [(None, None), (None, None)]
    assert run(clock, 1) == [(16.0, None)]


def test_epochs_are_told_with_their_ends():
    told = []
    clock = clock_of(1.0, 3.0, 4.0)
    run(clock, 1)
    clock.begin(counts=True)
    mail = Mail(lambda message: told.extend(message[EPOCHS]), None, epochs=clock)
    mail.report(1, 0.5, False, ())
    mail.report(2, 0.5, True, ())

    assert [(each.at, each.before) for each in told] == [(3.0, 1.0), (4.0, 1.0)]
