"""A signal while Ray starts waits for the search, which ends politely; the second one is an interrupt."""

import os
import signal

import pytest

from tune.cluster import signals as module
from tune.cluster.signals import end_on_interrupt, handle_interrupts


@pytest.fixture(autouse=True)
def _nobody_takes_them(monkeypatch):
    """Be as a process without a Ray of its own, whatever the session's tests have started."""
    monkeypatch.setattr(module, "_taken", [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_signal_when_no_search_runs_yet_then_it_ends_the_search_as_it_begins(number):
    ended = []
    before = signal.getsignal(number)
    with handle_interrupts() as interrupts:
        os.kill(os.getpid(), number)
        assert interrupts.is_asked
        with end_on_interrupt(lambda: ended.append(True)):
            assert ended == [True]
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_signal_when_ray_still_starts_then_it_is_acknowledged_at_once_and_the_search_ends_as_it_begins():
    told = []
    with handle_interrupts(lambda: told.append("heard")):
        os.kill(os.getpid(), signal.SIGINT)
        assert told == ["heard"]
        with end_on_interrupt(lambda: told.append("ended")):
            assert told == ["heard", "ended"]


def test_signal_when_a_search_runs_then_it_is_told_at_once_though_another_handler_was_put_there():
    ended = []
    with handle_interrupts():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as Ray does
        with end_on_interrupt(lambda: ended.append(True)):
            os.kill(os.getpid(), signal.SIGTERM)
            assert ended == [True]


def test_signal_when_a_search_has_ended_by_it_then_the_next_one_is_not_ended():
    ended = []
    with handle_interrupts():
        for number in (1, 2):
            with end_on_interrupt(lambda number=number: ended.append(number)):
                assert ended == list(range(1, number))
                os.kill(os.getpid(), signal.SIGTERM)
    assert ended == [1, 2]
