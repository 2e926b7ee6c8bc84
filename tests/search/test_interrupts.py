"""A signal while Ray starts waits for the search, which ends politely; the second one is an interrupt."""

import os
import signal

import pytest

from tune.search.machines.interrupts import interrupts_end, interrupts_taken


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_when_no_search_runs_yet_then_it_ends_the_search_as_it_begins(number):
    ended = []
    before = signal.getsignal(number)
    with interrupts_taken() as interrupts:
        os.kill(os.getpid(), number)
        assert interrupts.is_asked
        with interrupts_end(lambda: ended.append(True)):
            assert ended == [True]
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_signal_when_a_search_runs_then_it_is_told_at_once_though_another_handler_was_put_there():
    ended = []
    with interrupts_taken():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as Ray does
        with interrupts_end(lambda: ended.append(True)):
            os.kill(os.getpid(), signal.SIGTERM)
            assert ended == [True]
