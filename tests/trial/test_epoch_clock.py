"""What a trial takes beside its epochs: from the last epoch of the trial before to the first of this one."""

import pytest

from tune.trial.epoch_clock import EpochClock
from tune.trial.mail import EPOCHS, Mail


def clock_of(*moments):
    left = list(moments)
    return EpochClock(lambda: left.pop(0))


def run(clock, n_epochs):
    """Return what is known after each epoch of a trial."""
    clock.begin()
    known = []
    for _ in range(n_epochs):
        clock.tick()
        known.append(clock.start)
    return known


def test_start_is_in_epochs_and_known_with_the_second_one():
    clock = clock_of(9.0, 10.0, *(16.0, 18.0, 20.0))
    run(clock, 2)

    # 6 s from the last epoch of the first trial to the first of this one, of which 2 are an epoch
    assert run(clock, 3) == [None, pytest.approx(2.0), pytest.approx(2.0)]


def test_the_first_trial_of_a_worker_says_nothing():
    assert run(clock_of(9.0, 10.0, 11.0), 3) == [None, None, None]


def test_the_trial_after_one_without_an_epoch_says_nothing():
    clock = clock_of(1.0, 2.0, 3.0, 4.0)
    run(clock, 2)
    run(clock, 0)

    assert run(clock, 2) == [None, None]


def test_what_is_faster_than_later_epochs_is_no_negative_start():
    clock = clock_of(1.0, 2.0, *(2.5, 9.5))
    run(clock, 2)

    assert run(clock, 2)[-1] == 0.0


def test_epochs_at_one_moment_say_nothing():
    clock = clock_of(1.0, 2.0, *(3.0, 3.0))
    run(clock, 2)

    assert run(clock, 2)[-1] is None


def test_each_epoch_is_told_with_what_is_known():
    told = []
    clock = clock_of(0.0, *(3.0, 4.0))
    Mail(lambda message: told.extend(message[EPOCHS]), None, epochs=clock).report(1, 0.5, True, ())
    mail = Mail(lambda message: told.extend(message[EPOCHS]), None, epochs=clock)
    mail.report(1, 0.5, False, ())
    mail.report(2, 0.5, False, ())

    assert [each.start for each in told] == [None, None, pytest.approx(2.0)]
